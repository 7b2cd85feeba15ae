"""The Edge TPU path of a conversion.

`constraints.check` says which operators would run there and why the others would not, `compiler.compile_model` runs
Google's compiler where it is installed, `compiled.read_compiled` says what a compiled model holds,
`compiled.reattach` gives it back its card, and `build.build_edgetpu` does all of it for one bundle. No TensorFlow.
"""

"""One builder of native code per layer kind: forward, input gradient, parameter gradient."""

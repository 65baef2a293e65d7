"""The benchmark: gatewayd beside ser2net and a bare relay, on PTYs, in one run (`bench/run`)."""

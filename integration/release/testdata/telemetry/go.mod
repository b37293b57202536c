module example.com/telemetry

go 1.26.0

require github.com/alicebob/miniredis/v2 v2.40.0

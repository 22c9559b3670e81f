module sluice.local/hack/tools

go 1.25.0

"""The collector: compares what two versions answered to the same requests, and counts what became of their users."""

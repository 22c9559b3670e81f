"""The collector: joins what two versions of a model answered to the same requests, and counts how far they agree."""

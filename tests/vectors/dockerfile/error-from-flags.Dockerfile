FROM --platform=linux/arm64

//! The protocol of hashicorp/go-plugin over gRPC: what a program that holds a plugin and the plugin itself have in common.

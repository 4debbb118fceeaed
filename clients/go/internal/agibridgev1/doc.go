// Package agibridgev1 is the contract as protoc's plugins make it of proto/agibridge/v1. It is no part of the API.
package agibridgev1

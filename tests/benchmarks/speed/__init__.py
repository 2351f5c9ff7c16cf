"""What our store costs a call, beside the SDKs by hand and other libraries."""

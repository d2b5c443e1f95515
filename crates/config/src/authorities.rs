//! The authorities that this machine trusts, by which a certificate is checked where the configuration names none.

/// What is said of an address that wants them on a machine that has none, a bare container for one.
pub const NO_AUTHORITIES: &str = "must be an address whose certificate can be checked, and this machine trusts no authority: \
                                  install ca-certificates, or name a file of authorities in SSL_CERT_FILE";

/// Whether there are any. A client that needs them cannot be made without.
#[must_use]
pub fn has_authorities() -> bool {
    !rustls_native_certs::load_native_certs().certs.is_empty()
}

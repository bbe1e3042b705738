//! Encrypted connections, as go-plugin's AutoMTLS makes them: each end has one certificate that it made itself, and knows
//! the other's by heart.

mod identity;
mod pinned;

pub use identity::{Certificate, Identity, IdentityError};

use pinned::Pinned;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, ServerConfig};
use std::sync::{Arc, OnceLock};

/// What gRPC calls itself.
const ALPN: &[u8] = b"h2";

/// Connections between two ends, each of which knows the other's certificate. Either may be who connects.
#[derive(Clone, Debug)]
pub struct Mutual {
    /// For connections that this end opens.
    pub client: Arc<ClientConfig>,
    /// For connections that it accepts.
    pub server: Arc<ServerConfig>,
}

impl Mutual {
    /// Of this end and the certificate of the other.
    ///
    /// # Errors
    /// The identity's key is of no use; never for one that was generated.
    pub fn new(identity: &Identity, peer: &Certificate) -> Result<Self, IdentityError> {
        let pinned = Arc::new(Pinned::new(peer.clone()));
        let chain = || vec![identity.certificate().der().clone()];
        let key = || PrivateKeyDer::from(PrivatePkcs8KeyDer::from(identity.key().to_vec()));
        let mut client = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(pinned.clone())
            .with_client_auth_cert(chain(), key())?;
        client.alpn_protocols = vec![ALPN.to_vec()];
        // A connection lasts as long as its plugin: there is nothing to resume.
        client.resumption = rustls::client::Resumption::disabled();
        let mut server = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(pinned)
            .with_single_cert(chain(), key())?;
        server.alpn_protocols = vec![ALPN.to_vec()];
        server.send_tls13_tickets = 0;
        server.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        Ok(Self { client: Arc::new(client), server: Arc::new(server) })
    }
}

/// Always this one, whatever the program has as its default. Keys and random numbers are ring's: aws-lc gathers entropy of its own
/// before its first random number, which takes each process 40 to 150 ms. Only aws-lc knows P-521, the curve of go-plugin's
/// certificates, so that it verifies.
fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    let make = || CryptoProvider {
        signature_verification_algorithms: rustls::crypto::aws_lc_rs::default_provider()
            .signature_verification_algorithms,
        ..rustls::crypto::ring::default_provider()
    };
    PROVIDER.get_or_init(|| Arc::new(make())).clone()
}

#[cfg(test)]
mod tests;

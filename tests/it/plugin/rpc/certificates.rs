//! Whom a plugin lets in that was started with a certificate: its own host, and nobody else.

use super::Peer;
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme, StreamOwned};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

/// What a client of HTTP/2 begins with: its preface, and settings without a setting.
const HELLO: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

#[test]
fn a_plugin_with_certificates_lets_its_own_host_in_and_nobody_else() {
    for peer in Peer::BOTH {
        let (own, other) = (Identity::new(), Identity::new());
        let plugin = Plugin::start(peer, &own);
        let settings = plugin.greeted(Some(&own)).unwrap_or_else(|error| panic!("{peer:?}: {error}"));
        assert_eq!(settings[3], 4, "{peer:?}: settings of HTTP/2");
        // Each of them reaches the socket, and none gets a byte of HTTP/2.
        for (who, identity) in [("without a certificate", None), ("with another certificate", Some(&other))] {
            let refused = plugin.greeted(identity);
            assert!(refused.is_err(), "{peer:?}: let a client in {who}: {refused:?}");
        }
        let plain = plugin.greeted_plainly();
        assert!(plain.is_empty() || plain[0] == 21, "{peer:?}: spoke without TLS: {plain:?}");
        // The others have not kept the host out.
        assert!(plugin.greeted(Some(&own)).is_ok(), "{peer:?}");
    }
}

/// A certificate as go-plugin's ends make them, with its key.
struct Identity {
    certificate: CertificateDer<'static>,
    pem: String,
    key: Vec<u8>,
}

impl Identity {
    fn new() -> Self {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key");
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).expect("parameters");
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.extended_key_usages =
            vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth, rcgen::ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = params.self_signed(&key).expect("a certificate");
        Self { pem: certificate.pem(), certificate: certificate.into(), key: key.serialize_der() }
    }
}

/// A plugin that the test has started as a host with a certificate would.
struct Plugin {
    child: Child,
    socket: String,
    _folder: tempfile::TempDir,
}

impl Plugin {
    fn start(peer: Peer, host: &Identity) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut command = Command::new(peer.program());
        command.env("PITSTOP_PLUGIN_COOKIE", "pitstop-plugin-v1").env("PLUGIN_PROTOCOL_VERSIONS", "1");
        command.env("PLUGIN_CLIENT_CERT", &host.pem).env("TMPDIR", folder.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("a plugin");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a handshake");
        let fields: Vec<&str> = line.trim().split('|').collect();
        let ["1", "1", "unix", socket, "grpc", certificate, ..] = fields[..] else { panic!("{peer:?}: {line}") };
        assert!(certificate.len() > 50, "{peer:?}: {line}");
        Self { child, socket: socket.to_owned(), _folder: folder }
    }

    /// Shakes hands as a client who is this, and says hello: the first frame of the answer.
    fn greeted(&self, identity: Option<&Identity>) -> std::io::Result<[u8; 9]> {
        let provider = Arc::new(default_provider());
        let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("versions of TLS")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anyone(provider)));
        let mut config = match identity {
            None => config.with_no_client_auth(),
            Some(identity) => {
                let key = PrivateKeyDer::Pkcs8(identity.key.clone().into());
                config.with_client_auth_cert(vec![identity.certificate.clone()], key).expect("a certificate")
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        let name = ServerName::try_from("localhost").expect("a name");
        let connection = ClientConnection::new(Arc::new(config), name).expect("a client");
        let mut stream = StreamOwned::new(connection, UnixStream::connect(&self.socket)?);
        stream.write_all(HELLO)?;
        stream.flush()?;
        let mut frame = [0; 9];
        stream.read_exact(&mut frame)?;
        Ok(frame)
    }

    /// What comes back where a client says hello without TLS.
    fn greeted_plainly(&self) -> Vec<u8> {
        let mut stream = UnixStream::connect(&self.socket).expect("a socket");
        let _ = stream.write_all(HELLO);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        answer
    }
}

impl Drop for Plugin {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Takes any plugin for the right one: it is the plugin that is on trial here.
#[derive(Debug)]
struct Anyone(Arc<rustls::crypto::CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

//! What a certificate says, and who is refused.

use super::pinned::Pinned;
use super::{Certificate, Identity, Mutual, provider};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::server::ResolvesServerCertUsingSni;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection};
use std::sync::Arc;
use x509_parser::prelude::{FromDer as _, GeneralName, ParsedExtension, X509Certificate};

/// Lets both ends speak until they agree, or one of them refuses.
fn agree(client: Arc<ClientConfig>, server: Arc<ServerConfig>) -> Result<(), rustls::Error> {
    let mut client = ClientConnection::new(client, ServerName::try_from("localhost").unwrap()).unwrap();
    let mut server = ServerConnection::new(server).unwrap();
    while client.wants_write() || server.wants_write() {
        let mut bytes = Vec::new();
        client.write_tls(&mut bytes).unwrap();
        server.read_tls(&mut bytes.as_slice()).unwrap();
        server.process_new_packets()?;
        let mut bytes = Vec::new();
        server.write_tls(&mut bytes).unwrap();
        client.read_tls(&mut bytes.as_slice()).unwrap();
        client.process_new_packets()?;
    }
    assert!(!client.is_handshaking() && !server.is_handshaking());
    assert_eq!(client.alpn_protocol(), Some(b"h2".as_slice()));
    Ok(())
}

fn identity() -> Identity {
    Identity::generate().unwrap()
}

fn mutual(own: &Identity, peer: &Identity) -> Mutual {
    Mutual::new(own, peer.certificate()).unwrap()
}

#[test]
fn a_certificate_says_what_go_plugins_do() {
    let identity = identity();
    let (rest, read) = X509Certificate::from_der(identity.certificate().der()).unwrap();
    assert!(rest.is_empty());
    assert_eq!(read.signature_algorithm.algorithm.to_id_string(), "1.2.840.10045.4.3.2", "ECDSA with SHA-256");
    assert_eq!(read.public_key().subject_public_key.data.len(), 1 + 2 * 32, "a point on P-256");
    assert_eq!(read.subject(), read.issuer());
    let text = |mut names: Vec<&str>| {
        names.sort_unstable();
        names.join(" ")
    };
    let common: Vec<_> = read.subject().iter_common_name().map(|name| name.as_str().unwrap()).collect();
    let organization: Vec<_> = read.subject().iter_organization().map(|name| name.as_str().unwrap()).collect();
    assert_eq!((text(common), text(organization)), ("localhost".to_owned(), "HashiCorp".to_owned()));
    assert!(read.raw_serial().len() <= 17);
    let (before, after) = (read.validity().not_before.timestamp(), read.validity().not_after.timestamp());
    assert_eq!(after - before, 262_980 * 60 * 60 + 30);
    assert!(read.validity().is_valid());
    assert!(read.basic_constraints().unwrap().unwrap().value.ca);
    let usage = read.key_usage().unwrap().unwrap().value;
    assert!(usage.digital_signature() && usage.key_encipherment() && usage.key_agreement() && usage.key_cert_sign());
    let extended = read.extended_key_usage().unwrap().unwrap().value;
    assert!(extended.client_auth && extended.server_auth);
    let names = read.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectAlternativeName(names) => Some(&names.general_names),
        _ => None,
    });
    assert_eq!(names.unwrap(), &[GeneralName::DNSName("localhost")]);
}

#[test]
fn no_two_certificates_are_the_same_and_the_process_keeps_one() {
    assert_ne!(identity().certificate(), identity().certificate());
    let kept = Identity::of_process().unwrap();
    assert_eq!(kept.certificate(), Identity::of_process().unwrap().certificate());
}

#[test]
fn a_certificate_goes_through_text_unchanged() {
    let identity = identity();
    let pem = identity.certificate().to_pem();
    assert!(pem.lines().all(|line| line.len() <= 64) && pem.lines().count() > 3);
    assert_eq!(&Certificate::from_pem(pem.as_bytes()).unwrap(), identity.certificate());
    for bad in ["", "no PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        assert!(Certificate::from_pem(bad.as_bytes()).is_err(), "{bad:?}");
    }
}

#[test]
fn a_key_is_not_shown() {
    assert_eq!(format!("{:?}", identity()).find("key"), None);
}

#[test]
fn two_ends_that_know_each_other_agree_whoever_connects() {
    let (host, plugin) = (identity(), identity());
    let (of_host, of_plugin) = (mutual(&host, &plugin), mutual(&plugin, &host));
    assert_eq!(agree(of_host.client, of_plugin.server), Ok(()));
    assert_eq!(agree(of_plugin.client, of_host.server), Ok(()));
}

#[test]
fn they_agree_by_tls_1_2_as_well() {
    let (host, plugin) = (identity(), identity());
    let client = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Pinned::new(plugin.certificate().clone())))
        .with_client_auth_cert(vec![host.certificate().der().clone()], key(&host));
    let mut client = client.unwrap();
    client.alpn_protocols = vec![b"h2".to_vec()];
    assert_eq!(agree(Arc::new(client), mutual(&plugin, &host).server), Ok(()));
}

#[test]
fn a_client_without_a_certificate_is_refused() {
    let (host, plugin) = (identity(), identity());
    let client = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Pinned::new(plugin.certificate().clone())))
        .with_no_client_auth();
    let mut client = client;
    client.alpn_protocols = vec![b"h2".to_vec()];
    let refused = agree(Arc::new(client), mutual(&plugin, &host).server);
    assert_eq!(refused, Err(rustls::Error::NoCertificatesPresented));
}

#[test]
fn a_client_with_another_certificate_is_refused() {
    let (host, plugin, stranger) = (identity(), identity(), identity());
    let refused = agree(mutual(&stranger, &plugin).client, mutual(&plugin, &host).server);
    assert!(matches!(refused, Err(rustls::Error::InvalidCertificate(_))), "{refused:?}");
}

#[test]
fn a_server_with_another_certificate_than_it_has_named_is_refused() {
    let (host, plugin, stranger) = (identity(), identity(), identity());
    let refused = agree(mutual(&host, &plugin).client, mutual(&stranger, &host).server);
    assert!(matches!(refused, Err(rustls::Error::InvalidCertificate(_))), "{refused:?}");
}

/// Whoever has read the handshake line has the certificate: it is the key that shows who it is.
#[test]
fn a_server_with_the_right_certificate_and_the_wrong_key_is_refused() {
    let (host, plugin, stranger) = (identity(), identity(), identity());
    let mut names = ResolvesServerCertUsingSni::new();
    names.add("localhost", forged(&plugin, &stranger)).unwrap();
    let server = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(Arc::new(Pinned::new(host.certificate().clone())))
        .with_cert_resolver(Arc::new(names));
    let mut server = server;
    server.alpn_protocols = vec![b"h2".to_vec()];
    let refused = agree(mutual(&host, &plugin).client, Arc::new(server));
    assert_eq!(refused, Err(rustls::Error::InvalidCertificate(rustls::CertificateError::BadSignature)));
}

#[test]
fn a_client_with_the_right_certificate_and_the_wrong_key_is_refused() {
    let (host, plugin, stranger) = (identity(), identity(), identity());
    let client = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Pinned::new(plugin.certificate().clone())))
        .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(forged(&host, &stranger))));
    let mut client = client;
    client.alpn_protocols = vec![b"h2".to_vec()];
    let refused = agree(Arc::new(client), mutual(&plugin, &host).server);
    assert_eq!(refused, Err(rustls::Error::InvalidCertificate(rustls::CertificateError::BadSignature)));
}

/// One's certificate with another's key.
fn forged(shown: &Identity, signs: &Identity) -> CertifiedKey {
    let key = provider().key_provider.load_private_key(key(signs)).unwrap();
    CertifiedKey::new(vec![shown.certificate().der().clone()], key)
}

fn key(identity: &Identity) -> PrivateKeyDer<'static> {
    PrivateKeyDer::from(PrivatePkcs8KeyDer::from(identity.key().to_vec()))
}

//! Lines that plugins write, good and bad.

use super::{Fault, Field, Handshake, LONGEST_NOTHING};
use crate::address::{Address, AddressError};
use crate::tls::Identity;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

#[test]
fn a_handshake_that_was_written_is_read_as_the_same() {
    let identity = Identity::generate().unwrap();
    for certificate in [None, Some(identity.certificate().clone())] {
        for address in [Address::Unix("/tmp/plugin123".into()), Address::Tcp("127.0.0.1:1234".to_owned())] {
            let handshake = Handshake { app_version: 7, address, certificate: certificate.clone() };
            let line = format!("{handshake}\n");
            assert_eq!(line.lines().count(), 1);
            assert_eq!(Handshake::parse(&line), Ok(handshake));
        }
    }
}

#[test]
fn lines_as_go_writes_them_are_read() {
    let unix = Address::Unix("/tmp/plugin123".into());
    for line in [
        "1|1|unix|/tmp/plugin123|grpc|",
        "1|1|unix|/tmp/plugin123|grpc|\r\n",
        "1|1|unix|/tmp/plugin123|grpc",
        "1|1|unix|/tmp/plugin123|grpc||true\n",
        "  1 | 1 | unix | /tmp/plugin123 | grpc | \n",
    ] {
        let read = Handshake::parse(line);
        assert_eq!(read, Ok(Handshake { app_version: 1, address: unix.clone(), certificate: None }), "{line:?}");
    }
    let tcp = Handshake::parse("1|3|tcp|[::1]:10000|grpc|").unwrap();
    assert_eq!(tcp.address, Address::Tcp("[::1]:10000".to_owned()));
}

#[test]
fn a_sixth_field_is_a_certificate_only_if_it_is_long_with_padding_or_without() {
    let short = format!("1|1|unix|/a|grpc|{}", "!".repeat(LONGEST_NOTHING));
    assert_eq!(Handshake::parse(&short).unwrap().certificate, None);
    let identity = Identity::generate().unwrap();
    let padded = format!("1|1|unix|/a|grpc|{}|true", STANDARD.encode(identity.certificate().der()));
    assert_eq!(Handshake::parse(&padded).unwrap().certificate.as_ref(), Some(identity.certificate()));
}

#[test]
fn every_bad_line_is_told_by_field_and_fault() {
    let fault = |line: &str| Handshake::parse(line).map_err(|error| (error.field, error.fault)).unwrap_err();
    let number = |text: &str| Fault::NoNumber(format!("{text:?}"));
    let table = [
        ("", Field::Line, Fault::Empty),
        (" \t\r\n", Field::Line, Fault::Empty),
        ("Hello, world!", Field::CoreVersion, number("Hello, world!")),
        ("|1|unix|/a|grpc|", Field::CoreVersion, number("")),
        ("-1|1|unix|/a|grpc|", Field::CoreVersion, number("-1")),
        ("1.0|1|unix|/a|grpc|", Field::CoreVersion, number("1.0")),
        ("2|1|unix|/a|grpc|", Field::CoreVersion, Fault::OtherCore(2)),
        ("0|1|unix|/a|grpc|", Field::CoreVersion, Fault::OtherCore(0)),
        ("1", Field::AppVersion, Fault::Missing(1)),
        ("1|x|unix|/a|grpc|", Field::AppVersion, number("x")),
        ("1|99999999999|unix|/a|grpc|", Field::AppVersion, number("99999999999")),
        ("1|1", Field::Network, Fault::Missing(2)),
        ("1|1|unix", Field::Address, Fault::Missing(3)),
        ("1|1|udp|127.0.0.1:1|grpc|", Field::Network, Fault::Address(AddressError::UnknownNetwork("udp".into()))),
        ("1|1|UNIX|/a|grpc|", Field::Network, Fault::Address(AddressError::UnknownNetwork("UNIX".into()))),
        ("1|1|unix||grpc|", Field::Address, Fault::Address(AddressError::Empty)),
        ("1|1|unix|/a\0b|grpc|", Field::Address, Fault::Address(AddressError::HasNul("/a\0b".into()))),
        ("1|1|tcp|1234|grpc|", Field::Address, Fault::Address(AddressError::NoHostAndPort("1234".into()))),
        ("1|1|tcp|:1234|grpc|", Field::Address, Fault::Address(AddressError::NoHostAndPort(":1234".into()))),
        ("1|1|tcp|host:0|grpc|", Field::Address, Fault::Address(AddressError::NoHostAndPort("host:0".into()))),
        ("1|1|tcp|host:70000|grpc|", Field::Address, Fault::Address(AddressError::NoHostAndPort("host:70000".into()))),
        ("1|1|unix|/a", Field::Protocol, Fault::NetRpc),
        ("1|1|unix|/a|netrpc|", Field::Protocol, Fault::NetRpc),
        ("1|1|unix|/a|thrift|", Field::Protocol, Fault::OtherProtocol("\"thrift\"".into())),
        ("1|1|unix|/a||", Field::Protocol, Fault::OtherProtocol("\"\"".into())),
    ];
    for (line, field, expected) in table {
        assert_eq!(fault(line), (field, expected), "{line:?}");
    }
    let base64 = format!("1|1|unix|/a|grpc|{}", "!".repeat(60));
    assert!(matches!(fault(&base64), (Field::Certificate, Fault::NoBase64(_))));
    let nothing = format!("1|1|unix|/a|grpc|{}", "AAAA".repeat(20));
    assert!(matches!(fault(&nothing), (Field::Certificate, Fault::NoCertificate(_))));
}

#[test]
fn a_socket_path_longer_than_the_system_takes_is_refused_and_the_longest_is_not() {
    let line = |length: usize| format!("1|1|unix|/{}|grpc|", "a".repeat(length - 1));
    let longest = crate::LONGEST_PATH - 1;
    assert!(Handshake::parse(&line(longest)).is_ok());
    let error = Handshake::parse(&line(longest + 1)).unwrap_err();
    assert!(matches!(error.fault, Fault::Address(AddressError::TooLong(_))));
    let words = format!("the socket's path is {} bytes long and may be {longest}", longest + 1);
    assert!(error.to_string().contains(&words), "{error}");
}

#[test]
fn an_error_quotes_the_line_shortened_and_escaped() {
    let error = Handshake::parse("2026/01/31 starting\u{1b}[0m up\n").unwrap_err();
    assert_eq!(
        error.to_string(),
        "the first line of the plugin's standard output is no handshake of go-plugin: field 1, the version of the line: \
         \"2026/01/31 starting\\u{1b}[0m up\" is no number; does the program print something else first?; the line is \
         \"2026/01/31 starting\\u{1b}[0m up\""
    );
    let long = Handshake::parse(&format!("1|1|unix|{}", "ü".repeat(1000))).unwrap_err();
    assert!(long.line.len() < 300 && long.line.ends_with("\"... (2009 bytes)"), "{}", long.line);
    let old = Handshake::parse("1|1|unix|/tmp/plugin|netrpc|").unwrap_err().to_string();
    assert!(old.contains("the plugin speaks net/rpc; only grpc is understood"), "{old}");
}

#[test]
fn no_line_whatever_is_in_it_makes_the_reader_panic() {
    let good = "1|1|unix|/tmp/plugin123|grpc|AAAABBBBCCCCDDDDEEEEFFFFGGGGHHHHIIIIJJJJKKKKLLLLMMMMNNNN|true";
    for at in 0..good.len() {
        for letter in ["|", "\0", "ü", "\n", "-", ""] {
            let line = format!("{}{letter}{}", &good[..at], &good[at + 1..]);
            let _ = Handshake::parse(&line);
            let _ = Handshake::parse(&good[..at]);
        }
    }
}

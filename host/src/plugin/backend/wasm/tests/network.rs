//! Where a guest may connect to.

use super::*;
use crate::plugin::spec::{Address, Host};
use std::net::{IpAddr, Ipv4Addr, TcpListener};

/// Connects to 127.0.0.1, at the port that is its input, and answers with whether that has begun, or else why not.
fn connector() -> String {
    let imports = "(import \"wasi:sockets/network@0.2.0\" (instance $net
          (export \"network\" (type (sub resource)))
          (type $code (enum \"unknown\" \"access-denied\" \"not-supported\" \"invalid-argument\" \"out-of-memory\" \"timeout\"
            \"concurrency-conflict\" \"not-in-progress\" \"would-block\" \"invalid-state\" \"new-socket-limit\"
            \"address-not-bindable\" \"address-in-use\" \"remote-unreachable\" \"connection-refused\" \"connection-reset\"
            \"connection-aborted\" \"datagram-too-large\" \"name-unresolvable\" \"temporary-resolver-failure\"
            \"permanent-resolver-failure\"))
          (export \"error-code\" (type (eq $code)))
          (type $family (enum \"ipv4\" \"ipv6\")) (export \"ip-address-family\" (type (eq $family)))
          (type $a4 (tuple u8 u8 u8 u8)) (export \"ipv4-address\" (type $four (eq $a4)))
          (type $a6 (tuple u16 u16 u16 u16 u16 u16 u16 u16)) (export \"ipv6-address\" (type $six (eq $a6)))
          (type $s4 (record (field \"port\" u16) (field \"address\" $four)))
          (export \"ipv4-socket-address\" (type $at4 (eq $s4)))
          (type $s6 (record (field \"port\" u16) (field \"flow-info\" u32) (field \"address\" $six) (field \"scope-id\" u32)))
          (export \"ipv6-socket-address\" (type $at6 (eq $s6)))
          (type $sa (variant (case \"ipv4\" $at4) (case \"ipv6\" $at6))) (export \"ip-socket-address\" (type (eq $sa)))))
        (alias export $net \"network\" (type $network))
        (alias export $net \"error-code\" (type $error))
        (alias export $net \"ip-address-family\" (type $family))
        (alias export $net \"ip-socket-address\" (type $address))
        (import \"wasi:sockets/instance-network@0.2.0\" (instance $own
          (alias outer 1 $network (type $outer)) (export \"network\" (type $n (eq $outer)))
          (export \"instance-network\" (func (result (own $n))))))
        (import \"wasi:sockets/tcp@0.2.0\" (instance $tcp
          (alias outer 1 $network (type $on)) (export \"network\" (type $n (eq $on)))
          (alias outer 1 $error (type $oe)) (export \"error-code\" (type $e (eq $oe)))
          (alias outer 1 $address (type $oa)) (export \"ip-socket-address\" (type $a (eq $oa)))
          (export \"tcp-socket\" (type $s (sub resource)))
          (export \"[method]tcp-socket.start-connect\" (func (param \"self\" (borrow $s)) (param \"network\" (borrow $n))
            (param \"remote-address\" $a) (result (result (error $e)))))))
        (alias export $tcp \"tcp-socket\" (type $socket))
        (import \"wasi:sockets/tcp-create-socket@0.2.0\" (instance $create
          (alias outer 1 $error (type $oe)) (export \"error-code\" (type $e (eq $oe)))
          (alias outer 1 $family (type $of)) (export \"ip-address-family\" (type $f (eq $of)))
          (alias outer 1 $socket (type $os)) (export \"tcp-socket\" (type $s (eq $os)))
          (export \"create-tcp-socket\" (func (param \"address-family\" $f) (result (result (own $s) (error $e)))))))
        (core module $memory (memory (export \"memory\") 1))
        (core instance $shared (instantiate $memory))
        (alias core export $shared \"memory\" (core memory $shared-memory))
        (core func $network (canon lower (func $own \"instance-network\")))
        (core func $create (canon lower (func $create \"create-tcp-socket\") (memory $shared-memory)))
        (core func $connect (canon lower (func $tcp \"[method]tcp-socket.start-connect\") (memory $shared-memory)))
        (core instance $lent (export \"memory\" (memory $shared-memory)) (export \"network\" (func $network))
          (export \"create\" (func $create)) (export \"connect\" (func $connect)))";
    let own = "(import \"lent\" \"memory\" (memory $shared 1))
        (import \"lent\" \"network\" (func $network (result i32)))
        (import \"lent\" \"create\" (func $create (param i32 i32)))
        (import \"lent\" \"connect\" (func $connect
          (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))";
    let zeros = "(i32.const 0) ".repeat(6);
    let body = format!(
        "(call $create (i32.const 0) (i32.const 256))
         (if (i32.load8_u (i32.const 256)) (then (unreachable)))
         (call $connect (i32.load (i32.const 260)) (call $network) (i32.const 0) (i32.load16_u (local.get $at))
           (i32.const 127) (i32.const 0) (i32.const 0) (i32.const 1) {zeros} (i32.const 272))
         (i32.store (i32.const 20) (i32.const 272)) (i32.store (i32.const 24) (i32.const 2)) (i32.const 16)"
    );
    let text = component(imports, "(with \"lent\" (instance $lent))", own, &body);
    // The module's memory is the one that its imports write to.
    let (before, after) = text.rsplit_once("(memory (export \"memory\") 1)").expect("the module's own");
    format!("{before}(export \"memory\" (memory $shared)){after}")
}

const BEGUN: u8 = 0;
const ACCESS_DENIED: [u8; 2] = [1, 1];

#[test]
fn a_guest_connects_to_granted_addresses_and_to_no_other() {
    let here = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = here.local_addr().expect("an address").port();
    let connect = |granted: Vec<Host>, granted_port: u16| {
        let network = granted.into_iter().map(|host| Address { host, port: granted_port }).collect();
        let guest = Plugin::new(connector()).with(|spec| spec.wasm.network = network).open();
        guest.process(&port.to_le_bytes())
    };
    let ip = |last| Host::Ip(IpAddr::V4(Ipv4Addr::new(127, 0, 0, last)));
    assert_eq!(connect(vec![ip(1)], port).expect("an answer")[0], BEGUN);
    assert_eq!(connect(vec![Host::Name("localhost".to_owned())], port).expect("an answer")[0], BEGUN);
    assert_eq!(connect(vec![ip(2)], port), Ok(ACCESS_DENIED.to_vec()), "another address");
    assert_eq!(connect(vec![ip(1)], port ^ 1), Ok(ACCESS_DENIED.to_vec()), "another port");
    // Without anything granted there are not even sockets.
    assert!(matches!(connect(Vec::new(), port), Err(PluginError::Panicked { .. })));
}

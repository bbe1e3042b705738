//! Two versions at once: by weight, by key, and back with one call.

use super::garage::{Ear, Garage, Mechanism, until, version};
use pitstop_host::{Plugin, Plugins, PluginsError, Route, split};
use std::collections::BTreeMap;

fn said(text: &str) -> String {
    text.split(' ').next().unwrap_or_default().to_owned()
}

/// Waits until a route is live.
fn routed(plugins: &Plugins, weights: &[u32]) {
    until("the route is live", || {
        let versions = plugins.versions("echo").expect("versions");
        versions.iter().map(|version| version.weight).eq(weights.iter().copied())
    });
}

#[test]
fn calls_are_split_by_weight_and_rolled_back_with_one_call() {
    let garage = Garage::with_echo(Mechanism::C, "");
    garage.put_as(Mechanism::C, 2, "next/libecho.so");
    let plugins = garage.open();
    let mut ear = Ear::of(&plugins);
    let echo = plugins.get("echo").expect("a plugin");
    let old = plugins.versions("echo").expect("versions")[0].number;
    let new = plugins.load_version("echo", garage.path("next/libecho.so")).expect("a second version");
    assert!(said(&echo.process_text("x").expect("an echo")) == version(1), "loaded is not live");
    plugins.route("echo", split(90, old, 10, new)).expect("a route");
    routed(&plugins, &[90, 10]);
    let mut shares = BTreeMap::new();
    for call in 0..1000 {
        let text = if call % 10 == 0 { "fail" } else { "x" };
        match echo.process_text(text) {
            Ok(text) => *shares.entry(said(&text)).or_insert(0) += 1,
            Err(error) => assert_eq!(error.to_string(), "as asked"),
        }
    }
    let versions = plugins.versions("echo").expect("versions");
    assert_eq!((versions[0].weight, versions[1].weight), (90, 10));
    assert!((95..=105).contains(&versions[1].calls), "{versions:?}");
    assert_eq!(versions[0].calls + versions[1].calls, 1001);
    assert_eq!(versions[0].errors + versions[1].errors, 100);
    assert_eq!(shares.values().sum::<u64>(), 900);
    plugins.route("echo", Route::only(old)).expect("a route");
    let (retired, calls, _) = ear.retired("echo");
    assert_eq!((retired, calls), (new, versions[1].calls));
    for _ in 0..100 {
        assert_eq!(said(&echo.process_text("x").expect("an echo")), version(1));
    }
}

#[test]
fn a_sticky_route_gives_a_key_one_version() {
    let garage = Garage::with_echo(Mechanism::C, "");
    garage.put_as(Mechanism::C, 2, "next/libecho.so");
    let plugins = garage.open();
    let echo = plugins.get("echo").expect("a plugin");
    plugins.load_version("echo", garage.path("next/libecho.so")).expect("a second version");
    let route = split(50, version(1).as_str(), 50, version(2).as_str()).sticky();
    plugins.route("echo", route).expect("versions by what they say of themselves");
    routed(&plugins, &[50, 50]);
    let mut shares = BTreeMap::new();
    for user in 0..400 {
        let key = format!("user-{user}");
        let ask = || said(&String::from_utf8(echo.process_for(&key, b"x").expect("an echo")).expect("text"));
        let first = ask();
        assert!((0..5).all(|_| ask() == first), "{key} moved");
        *shares.entry(first).or_insert(0) += 1;
    }
    assert!(shares.values().all(|&count| (150..=250).contains(&count)), "{shares:?}");
}

#[test]
fn a_newer_file_takes_the_place_of_the_newest_version_of_a_route() {
    let garage = Garage::with_echo(Mechanism::C, "");
    garage.put_as(Mechanism::C, 2, "next/libecho.so");
    let plugins = garage.open();
    let mut ear = Ear::of(&plugins);
    let echo = plugins.get("echo").expect("a plugin");
    let old = plugins.versions("echo").expect("versions")[0].number;
    let new = plugins.load_version("echo", garage.path("next/libecho.so")).expect("a second version");
    plugins.route("echo", split(1, old, 1, new)).expect("a route");
    routed(&plugins, &[1, 1]);
    garage.put(Mechanism::C, 3);
    ear.live("echo");
    let heard: std::collections::BTreeSet<String> =
        (0..20).map(|_| said(&echo.process_text("x").expect("an echo"))).collect();
    assert_eq!(heard.into_iter().collect::<Vec<_>>(), [version(1), version(3)]);
}

#[test]
fn a_route_to_what_is_not_there_is_refused_with_what_is() {
    let garage = Garage::with_echo(Mechanism::C, "");
    let plugins = garage.open();
    let old = plugins.versions("echo").expect("versions")[0].number;
    let error = plugins.route("echo", split(90, old, 10, 99)).expect_err("no such version");
    assert_eq!(error.to_string(), format!("plugin `echo` has no version #99 loaded, but #{old}"));
    let error = plugins.route("echo", split(0, old, 0, old)).expect_err("no weight");
    assert!(matches!(error, PluginsError::NoWeight { .. }));
    garage.cc("bad.so", &["-DUNHEALTHY"]);
    let error = plugins.load_version("echo", garage.path("bad.so")).expect_err("it is not well");
    assert!(error.to_string().contains("no database"), "{error}");
    assert!(plugins.get("echo").expect("a plugin").process(b"x").is_ok());
}

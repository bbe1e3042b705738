//! Guests that were damaged at random: each is refused, or keeps to its limits.

use super::super::engine::{Way, engine};
use super::*;
use std::time::Duration;
use wasm_mutate::WasmMutate;

const MUTANTS: usize = 200;

/// A guest with a bit of all: memory, a table, globals, loops, calls.
fn good() -> String {
    let more = "(table $table 2 funcref) (elem (i32.const 0) $twice $sum)
                (global $calls (mut i32) (i32.const 0))
                (type $unary (func (param i32) (result i32)))
                (func $twice (param $n i32) (result i32) (i32.shl (local.get $n) (i32.const 1)))
                (func $sum (param $n i32) (result i32) (local $sum i32)
                  (loop $again
                    (local.set $sum (i32.add (local.get $sum) (local.get $n)))
                    (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
                  (local.get $sum))";
    let body = format!(
        "(global.set $calls (i32.add (global.get $calls) (i32.const 1)))
         (i32.store (i32.const 0) (call_indirect (type $unary) (i32.const 9) (i32.const 0)))
         (i32.store (i32.const 4) (call_indirect (type $unary) (i32.const 9) (i32.const 1)))
         {ECHO}"
    );
    module(more, &body)
}

#[test]
fn two_hundred_mutants_are_refused_or_keep_to_their_limits_and_leave_nothing_behind() {
    let good = Plugin::new(good());
    let guest = good.open();
    // An engine of their own, whose places can be counted.
    let stack = 77 << 10;
    let (mut made, mut refused, mut failed, mut answered) = (0, 0, 0, 0);
    for seed in 0.. {
        let mut mutate = WasmMutate::default();
        mutate.seed(seed).fuel(1000);
        let Some(Ok(mutant)) = mutate.run(&good.bytes).ok().and_then(|mut mutants| mutants.next()) else { continue };
        let plugin = Plugin::of_bytes(mutant).with(|spec| {
            spec.limits.time = Duration::from_millis(50);
            spec.limits.memory = Some(4 << 20);
            spec.wasm.stack = Some(stack);
        });
        match plugin.proven().map(|_| plugin.try_open()) {
            Err(reasons) => {
                assert!(!reasons.is_empty());
                refused += 1;
            }
            Ok(Err(_)) => refused += 1,
            Ok(Ok(mutant)) => match mutant.process(b"on") {
                Ok(_) => answered += 1,
                Err(_) => failed += 1,
            },
        }
        assert_eq!(guest.process(b"on"), Ok(b"on".to_vec()));
        made += 1;
        if made == MUTANTS {
            break;
        }
    }
    assert!(answered > 0 && refused + failed > 0, "{refused} refused, {failed} failed, {answered} answered");
    let engine = engine(Way::of(&good.with(|spec| spec.wasm.stack = Some(stack)).spec)).expect("the same engine");
    if let Some(metrics) = engine.pooling_allocator_metrics() {
        assert_eq!((metrics.core_instances(), metrics.memories(), metrics.tables()), (0, 0, 0));
    }
}

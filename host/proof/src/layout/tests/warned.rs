//! Values that may point into an old image.

use super::build::{Graph, update};
use crate::layout::{Borrowed, TypeId, borrowed};

fn object(graph: &mut Graph, name: &str) -> TypeId {
    let word = graph.scalar("usize");
    graph.structure(name, (16, 8), &[("pointer", 0, word), ("vtable", 8, word)])
}

#[test]
fn trait_objects_functions_and_references_are_found() {
    let layouts = update(|graph| {
        let hook = object(graph, "alloc::boxed::Box<dyn logic::Hook, alloc::alloc::Global>");
        let hooks = graph.vec(hook);
        let function = graph.function(&[], None);
        let function = graph.pointer("", function);
        let length = graph.scalar("usize");
        let text = graph.structure("&str", (16, 8), &[("data_ptr", 0, length), ("length", 8, length)]);
        let shared = graph.opaque("dyn logic::Draw");
        let rc = graph.structure("alloc::rc::Rc<dyn logic::Draw>", (16, 8), &[("ptr", 0, length)]);
        graph.with(rc, &[("T", shared)]);
        let inner = graph.structure("logic::Inner", (16, 8), &[("title", 0, text), ("again", 16, hooks)]);
        let fields = [("hooks", 0, hooks), ("inner", 24, inner), ("tick", 40, function), ("draw", 48, rc)];
        graph.structure("logic::World", (64, 8), &fields)
    });
    let Borrowed { values, more } = borrowed(&layouts, |_| true);
    let values: Vec<String> = values.into_iter().map(|(path, what)| format!("{path}: {what}")).collect();
    assert_eq!(
        values,
        [
            "World.hooks[]: trait object `Box<dyn logic::Hook>`",
            "World.inner.title: reference `&str`",
            "World.tick: function pointer `fn()`",
            "World.draw: trait object `dyn logic::Draw`"
        ]
    );
    assert_eq!(more, 0);
    assert!(borrowed(&layouts, |_| false).values.is_empty());
}

#[test]
fn the_rest_is_counted() {
    let layouts = update(|graph| {
        let names: Vec<String> = (0..25).map(|number| format!("f{number}")).collect();
        let fields: Vec<_> =
            names.iter().map(|name| (name.as_str(), 0, object(graph, &format!("&dyn logic::{name}")))).collect();
        graph.structure("logic::World", (400, 8), &fields)
    });
    let found = borrowed(&layouts, |_| true);
    assert_eq!((found.values.len(), found.more), (20, 5));
}

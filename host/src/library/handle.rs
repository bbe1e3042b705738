//! What the host holds: a library, and functions of it.
#![expect(unsafe_code, reason = "gives a pointer the type that debug info, or the caller, vouches for")]

use super::shelf::Book;
use crate::load::Loaded;
use pitstop_contract::Generation;
use pitstop_proof::signature;
use pitstop_reloadable::__private::Slot;
use std::any::type_name;
use std::borrow::Cow;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A dynamic library whose functions are asked for by name; see [`Pitstop::library`](crate::Pitstop::library).
#[derive(Clone, Debug)]
pub struct Library {
    book: Arc<Book>,
}

/// A function of a [`Library`]. Its pointer is swapped at the safe point, together with all others.
#[derive(Clone, Debug)]
pub struct Function<F> {
    pointer: Arc<Slot>,
    _type: PhantomData<F>,
}

/// Why there is no library.
#[derive(Debug)]
#[non_exhaustive]
pub enum LibraryError {
    /// No image of it was published in time. In a session: whether the crate is in the workspace and builds is in the
    /// watcher's output; a file may come later, ask again then.
    Absent {
        /// The name or path.
        name: String,
        /// Where it was looked for, or how long it was waited for.
        looked: String,
    },
    /// The system's loader, or the proof, refused it.
    Refused {
        /// The file.
        path: PathBuf,
        /// Why.
        message: String,
    },
}

/// Why there is no function.
#[derive(Debug)]
#[non_exhaustive]
pub enum FunctionError {
    /// The library exports no such symbol. A Rust function needs `#[unsafe(no_mangle)]` to have its own name.
    Missing {
        /// The symbol.
        symbol: String,
        /// The file.
        path: PathBuf,
    },
    /// The function has another signature.
    Signature {
        /// The symbol.
        symbol: String,
        /// As asked for.
        expected: String,
        /// As the library's debug info says.
        found: String,
    },
    /// The library has no debug info for it, so that its signature cannot be proven: build it with `-g`, or use
    /// [`Library::function_unchecked`].
    Unproven {
        /// The symbol.
        symbol: String,
        /// What is missing.
        why: String,
    },
    /// The type asked for is no function pointer.
    NotAFunction {
        /// The type.
        ty: &'static str,
    },
}

impl Library {
    pub(super) fn of(book: Arc<Book>) -> Self {
        Self { book }
    }

    /// Loads the library once, from beside the executable or from the named file.
    pub(crate) fn without_session(name: &str) -> Result<Self, LibraryError> {
        let path = find_beside_executable(name)?;
        let image =
            Loaded::without_session(name, Generation::LINKED, &path).map_err(|reasons| LibraryError::Refused {
                path,
                message: reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
            })?;
        Ok(Self::of(Arc::new(Book::bound(name, image))))
    }

    /// A function by its symbol, its signature proven from the library's debug info, now and for every later image.
    ///
    /// `F` is the function pointer type: `lib.function::<fn(u64) -> u64>("tick")`.
    ///
    /// # Errors
    /// See [`FunctionError`].
    pub fn function<F: Copy + 'static>(&self, symbol: &str) -> Result<Function<F>, FunctionError> {
        let wanted = function_type::<F>()?;
        self.get(symbol, Some(wanted))
    }

    /// A function by its symbol, whatever the library says of it.
    ///
    /// # Errors
    /// See [`FunctionError`].
    ///
    /// # Safety
    /// `F` must be the function's type, in the image that is live now and in every later one.
    pub unsafe fn function_unchecked<F: Copy + 'static>(&self, symbol: &str) -> Result<Function<F>, FunctionError> {
        function_type::<F>()?;
        self.get(symbol, None::<&str>)
    }

    /// A function by its symbol, for languages that have no type to say its signature with: as text it is proven, without
    /// one it is as with [`function_unchecked`](Self::function_unchecked). For `pitstop-host-c`.
    #[doc(hidden)]
    pub fn function_by_text(
        &self,
        symbol: &str,
        signature: Option<&str>,
    ) -> Result<Function<unsafe extern "C" fn()>, FunctionError> {
        self.get(symbol, signature.map(str::to_owned))
    }

    fn get<F>(&self, symbol: &str, wanted: Option<impl Into<Cow<'static, str>>>) -> Result<Function<F>, FunctionError> {
        let pointer = self.book.handle(symbol, wanted)?;
        Ok(Function { pointer, _type: PhantomData })
    }
}

impl<F: Copy + 'static> Function<F> {
    /// The live function. Get it anew for each use: a kept pointer stays with the old code.
    #[inline]
    #[must_use]
    pub fn get(&self) -> F {
        // SAFETY: `function_type` has shown F to be a function pointer, and every stored pointer was proven to have its
        // signature, or the caller of `function_unchecked` vouched for it.
        unsafe { self.pointer.cast() }
    }

    /// Where the pointer to the live function is, for code that loads it itself: stays for as long as this handle, or a copy
    /// of it. For `pitstop-host-c`.
    #[doc(hidden)]
    #[must_use]
    pub fn cell(&self) -> *const Slot {
        Arc::as_ptr(&self.pointer)
    }
}

/// Proves a symbol's signature from a library's file.
pub(super) fn prove(path: &Path, symbol: &str, wanted: &str) -> Result<(), FunctionError> {
    let unproven = |why: String| FunctionError::Unproven { symbol: symbol.to_owned(), why };
    let bytes = std::fs::read(path).map_err(|error| unproven(error.to_string()))?;
    let found = signature::find(&bytes, symbol).map_err(unproven)?;
    let Some(found) = found else {
        return Err(unproven(format!("{} has no debug info for it", path.display())));
    };
    signature::compare(wanted, &found).map_err(|(expected, found)| FunctionError::Signature {
        symbol: symbol.to_owned(),
        expected,
        found,
    })
}

fn function_type<F: Copy + 'static>() -> Result<&'static str, FunctionError> {
    let ty = type_name::<F>();
    let mut rest = ty;
    if let Some(bound) = rest.strip_prefix("for<") {
        rest = bound.split_once("> ").map_or("", |(_, rest)| rest);
    }
    rest = rest.strip_prefix("unsafe ").unwrap_or(rest);
    if let Some(abi) = rest.strip_prefix("extern \"") {
        rest = abi.split_once("\" ").map_or("", |(_, rest)| rest);
    }
    if rest.starts_with("fn(") && size_of::<F>() == size_of::<*const ()>() {
        Ok(ty)
    } else {
        Err(FunctionError::NotAFunction { ty })
    }
}

/// The library of a crate beside the executable, or a file.
pub(crate) fn find_beside_executable(name: &str) -> Result<PathBuf, LibraryError> {
    let absent = |looked: String| LibraryError::Absent { name: name.to_owned(), looked };
    if is_path(name) {
        let path = PathBuf::from(name);
        return if path.is_file() { Ok(path) } else { Err(absent(format!("no such file as {name}"))) };
    }
    let executable = std::env::current_exe().map_err(|error| absent(error.to_string()))?;
    let folder = executable.parent().unwrap_or(Path::new("."));
    let crate_name = name.replace('-', "_");
    let file = format!("{}{crate_name}{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let places = [folder.join(&file), folder.join("deps").join(&file), folder.join("..").join(&file)];
    let found = places.iter().find(|place| place.is_file());
    found.cloned().ok_or_else(|| absent(format!("no {file} in or near {}", folder.display())))
}

/// A file's name such that it is taken for one.
pub(crate) fn as_path(name: &str) -> String {
    if is_path(name) { name.to_owned() } else { format!("./{name}") }
}

/// Whether a library is asked for by file rather than by crate.
pub(super) fn is_path(name: &str) -> bool {
    name.contains('/') || name.contains(std::path::MAIN_SEPARATOR)
}

impl std::fmt::Display for LibraryError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Absent { name, looked } => write!(f, "no library `{name}`: {looked}"),
            Self::Refused { path, message } => write!(f, "library {} refused: {message}", path.display()),
        }
    }
}

impl std::error::Error for LibraryError {}

impl std::fmt::Display for FunctionError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing { symbol, path } => write!(
                f,
                "{} exports no `{symbol}`; a Rust function needs `pub` and #[unsafe(no_mangle)]",
                path.display()
            ),
            Self::Signature { symbol, expected, found } => {
                write!(f, "`{symbol}` has another signature: expected {expected}, found {found}")
            }
            Self::Unproven { symbol, why } => write!(
                f,
                "the signature of `{symbol}` cannot be proven: {why}; build it with debug info, or vouch for it with \
                 `function_unchecked`"
            ),
            Self::NotAFunction { ty } => write!(f, "`{ty}` is no function pointer type, such as `fn(u64) -> u64`"),
        }
    }
}

impl std::error::Error for FunctionError {}

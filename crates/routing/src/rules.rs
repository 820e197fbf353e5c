//! What upstreams, stream routes and the places of routes have to be.
//!
//! The control plane refuses by these rules what is saved, a node what a snapshot says: a snapshot may come from a
//! file. But for what has no effect (`unheeded`): only who saves it hears of that. Rules that need more than the thing
//! itself, as what else there is, stand where that is known.

mod place;
mod stream;
mod target;
mod unheeded;
mod upstream;

pub use self::place::place;
pub use self::stream::stream;
pub(crate) use self::stream::{IDLE_MS_MAX, IDLE_MS_MIN};
pub use self::target::target_url;
pub use self::unheeded::unheeded;
pub use self::upstream::{listed, upstream};

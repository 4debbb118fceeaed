//! The links to the managers of Asterisk: actions and their answers, events for whoever subscribes. Knows no calls, and nothing of
//! what an action means.
//!
//! | file | what it holds |
//! |---|---|
//! | `packet` | pure: the words on a manager port |
//! | `server` | the settings of one Asterisk |
//! | `links` | all links, as the configuration has them |
//! | `link` | the hand on one link: send an action, see its state |
//! | `run` | the task of a link: connect, log in, serve, try again |
//! | `connect`, `login` | the first steps of a connection |
//! | `serve` | a connection that is logged in |
//! | `pending` | actions that wait for their answers |
//! | `hub` | who subscribed, and the states of all links |
//! | `event` | one event |
//! | `subscription` | one subscriber's filter and bounded buffer |
//! | `originate` | pure: what becomes of a call that Asterisk was asked for |

mod connect;
mod event;
mod hub;
mod link;
mod links;
mod login;
pub mod originate;
mod packet;
mod pending;
mod run;
mod serve;
mod server;
mod subscription;
#[cfg(test)]
mod tests;

pub use event::Event;
pub use hub::ServerState;
pub use link::{Link, Reply, SendError};
pub use links::{Links, Pick};
pub use packet::{
    Action, ActionError, ActionId, Banner, Headers, Incoming, Limits, Message, NoManager, Reader,
};
pub use server::Server;
pub use subscription::{Filter, Item, Subscription};

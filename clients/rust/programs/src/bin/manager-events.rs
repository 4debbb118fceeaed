//! Writes every event of Asterisk: `manager-events API TOKEN`.

use agibridge::{Error, Heard, Manager};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().collect();
    let manager = Manager::builder(&arguments[1]).token(&arguments[2]).build()?;
    let mut events = manager.watch(["*"]);
    loop {
        if let Heard::Event(event) = events.next().await? {
            println!("{} {:?}", event.name, event.headers);
        }
    }
}

//! Sends Ping to Asterisk once a second: `manager-ping API TOKEN`.

use agibridge::{Error, Manager, secs};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().collect();
    let manager = Manager::builder(&arguments[1]).token(&arguments[2]).build()?;
    loop {
        match manager.action("Ping").await {
            Ok(answer) => println!("{}", answer.headers.get("Ping").unwrap_or_default()),
            Err(error) => println!("{error}"),
        }
        tokio::time::sleep(secs(1)).await;
    }
}

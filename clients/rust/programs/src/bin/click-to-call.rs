//! Rings CALLER, and then dials NUMBER: `click-to-call API TOKEN CALLER CONTEXT NUMBER`.

use agibridge::{Error, Manager};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().collect();
    let manager = Manager::builder(&arguments[1]).token(&arguments[2]).build()?;
    let call = manager.originate(&arguments[3]).to_extension(&arguments[4], &arguments[5]).await?;
    println!("{}", call.outcome);
    Ok(())
}

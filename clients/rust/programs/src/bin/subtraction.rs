//! A game: three sums, and the score for the dialplan.

use agibridge::{Call, Error, ServeError, Server};
use rand::random_range;

/// Three sums by chance, or those of the query: `ask=9-4,7-2`.
fn sums(call: &Call) -> Vec<(i32, i32)> {
    match call.query_parameter("ask") {
        Some(ask) => ask
            .split(',')
            .filter_map(|sum| {
                let (a, b) = sum.split_once('-')?;
                Some((a.parse().ok()?, b.parse().ok()?))
            })
            .collect(),
        None => (0..3)
            .map(|_| {
                let a = random_range(5..=20);
                (a, random_range(1..=a))
            })
            .collect(),
    }
}

/// What the caller makes of `a - b`; nothing when nothing was entered.
async fn ask(call: &Call, a: i32, b: i32) -> Result<Option<i32>, Error> {
    call.say_number(a).await?;
    call.stream_file("digits/minus").await?;
    call.say_number(b).await?;
    let only_numbers = |digits: &str| digits.parse::<i32>().is_ok();
    match call.ask("beep", 2).tries(2).validate(only_numbers).await {
        Ok(digits) => Ok(digits.parse().ok()),
        Err(Error::NoInput { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn subtraction(call: Call) -> Result<(), Error> {
    call.answer().await?;
    let sums = sums(&call);
    let mut score = 0;
    for (a, b) in &sums {
        if ask(&call, *a, *b).await? == Some(a - b) {
            score += 1;
            call.stream_file("auth-thankyou").await?;
        } else {
            call.stream_file("auth-incorrect").await?;
        }
    }
    call.stream_file("vm-goodbye").await?;
    call.end().variable("SCORE", format!("{score}/{}", sums.len())).await?;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), ServeError> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:50051".to_owned());
    let server = Server::new(subtraction).listen(address).bind().await?;
    println!("listening on {}", server.address());
    server.run().await
}

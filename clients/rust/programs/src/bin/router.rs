//! Dials the department that the path names, and stores what became of it, whether or not the caller waits for that.

use agibridge::{Call, Error, ServeError, Server};

fn target<'a>(call: &'a Call, department: &str) -> Option<&'a str> {
    call.query_parameter("to").or(match department {
        "sales" => Some("PJSIP/sales"),
        "support" => Some("PJSIP/support"),
        "billing" => Some("PJSIP/billing"),
        _ => None,
    })
}

async fn router(call: Call) -> Result<(), Error> {
    let department = call.path_parameter("department").unwrap_or_default();
    let Some(target) = target(&call, department) else {
        call.stream_file("pbx-invalid").await?;
        call.end().fail(format!("there is no department {department}")).await?;
        return Ok(());
    };
    call.exec("Dial").arguments([target, "20"]).await?;

    // The caller may be gone by now. Variables and the database do not mind.
    let status = call.get_variable("DIALSTATUS").await?.unwrap_or_default();
    let routed = format!("{department}:{status}");
    call.database_put("router", &call.channel().unique_id, &routed).await?;
    call.set_variable("ROUTED", &routed).await?;

    if !call.hung_up() && status != "ANSWER" {
        call.stream_file("vm-nobodyavail").await?;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), ServeError> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:50051".to_owned());
    let server = Server::new(router).listen(address).bind().await?;
    println!("listening on {}", server.address());
    server.run().await
}

//! The handler: does the steps of a call's script, and sees to it that the call is reported, however it ends.

use crate::{
    command::{Visitor, build, common},
    read, report,
};
use agibridge::{BoxError, Call, Command, Error, Kind};
use report::line;
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    path::PathBuf,
    pin::Pin,
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::oneshot;

/// The running calls, by their scripts: for `steal`.
static RUNNING: LazyLock<Mutex<HashMap<String, Call>>> = LazyLock::new(Mutex::default);

fn lock<T>(it: &Mutex<T>) -> MutexGuard<'_, T> {
    it.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is noted meanwhile.
#[derive(Default)]
struct Notes {
    results: Vec<Value>,
    progress: Vec<String>,
    hangup: Option<Value>,
    draining: bool,
    handler: Option<(&'static str, String)>,
}

struct Script {
    call: Call,
    name: String,
    notes: Arc<Mutex<Notes>>,
}

/// Tells the reporter that the handler is over, when it is dropped: after its return, or by a cancellation.
struct Over(Option<oneshot::Sender<()>>);

impl Drop for Over {
    fn drop(&mut self) {
        if let Some(over) = self.0.take() {
            let _gone = over.send(());
        }
    }
}

/// How the script goes on after a step.
enum Step {
    Next,
    Return,
}

pub(crate) async fn handle(call: Call, scripts: PathBuf) -> Result<(), BoxError> {
    let name = call.path_parameter("script").unwrap_or_default().to_owned();
    let notes = Arc::new(Mutex::new(Notes::default()));
    let (over, handled) = oneshot::channel();
    let _over = Over(Some(over));
    tokio::spawn(report_call(call.clone(), name.clone(), Arc::clone(&notes), handled));
    lock(&RUNNING).insert(name.clone(), call.clone());
    let script = Script { call, name, notes: Arc::clone(&notes) };
    let result = script.run(&scripts).await;
    let handler = match &result {
        Ok(()) => ("returned", String::new()),
        Err(error) => match error.downcast_ref::<Error>() {
            Some(Error::HungUp) => ("hung_up", String::new()),
            Some(Error::Lost(why)) => ("lost", why.clone()),
            _ => ("failed", error.to_string()),
        },
    };
    lock(&notes).handler = Some(handler);
    result
}

/// Writes the call's line once its handler is over and its stream closed.
async fn report_call(
    call: Call,
    name: String,
    notes: Arc<Mutex<Notes>>,
    handled: oneshot::Receiver<()>,
) {
    let seen = async {
        if let Some(hangup) = call.wait_hangup().await {
            lock(&notes).hangup = Some(report::hangup(&hangup));
        }
    };
    let (_, (), ended) = tokio::join!(handled, seen, call.wait_ended());
    lock(&RUNNING).remove(&name);
    let mut notes = lock(&notes);
    let (handler, message) = notes.handler.take().unwrap_or(("cancelled", String::new()));
    line(&json!({
        "event": "call",
        "script": name,
        "attempt": call.resumption().map_or(0, |it| it.attempt),
        "started": report::started(&call),
        "resumption": call.resumption().map(report::resumption),
        "results": notes.results,
        "progress": notes.progress,
        "hangup": notes.hangup,
        "draining": notes.draining || call.draining().is_some(),
        "ended": ended.as_ref().map(report::ended),
        "handler": handler,
        "message": message,
    }));
}

type Pending = Pin<Box<dyn Future<Output = Value> + Send>>;

/// Makes a command of the script a future of what is noted.
struct Single<'a> {
    script: &'a Script,
    step: &'a Value,
    text: bool,
}

impl Single<'_> {
    fn prepare<K: Kind>(&self, command: Command<K>) -> Command<K> {
        let notes = Arc::clone(&self.script.notes);
        common(command, self.step)
            .on_progress(move |text| lock(&notes).progress.push(text.to_owned()))
    }
}

impl Visitor for Single<'_> {
    type Output = Pending;

    fn visit<K: Kind>(self, command: Command<K>) -> Pending
    where
        K::Output: report::Noted,
    {
        let reply = self.prepare(command).into_future();
        Box::pin(noted(reply, self.text))
    }
}

/// A command of a batch: what is noted, and the way to take it back.
struct Batched<'a>(Single<'a>, &'a mut agibridge::Batch);

type Cancel = Arc<dyn Fn() + Send + Sync>;
/// A command of a batch that was sent.
type Sent = (Pending, Cancel);

impl Visitor for Batched<'_> {
    type Output = Sent;

    fn visit<K: Kind>(self, command: Command<K>) -> Sent
    where
        K::Output: report::Noted,
    {
        let text = self.0.text;
        let reply = Arc::new(Mutex::new(Some(self.1.add(self.0.prepare(command)))));
        let cancelled = Arc::clone(&reply);
        let cancel = move || {
            if let Some(reply) = lock(&cancelled).as_ref() {
                reply.cancel();
            }
        };
        let taken = async move {
            let reply = lock(&reply).take();
            match reply {
                Some(reply) => noted(reply, text).await,
                None => Value::Null,
            }
        };
        (Box::pin(taken), Arc::new(cancel))
    }
}

async fn noted<T: report::Noted>(
    reply: impl Future<Output = Result<T, Error>>,
    text: bool,
) -> Value {
    report::result(reply.await.map(report::Noted::outcome), text)
}

impl Script {
    async fn run(&self, scripts: &std::path::Path) -> Result<(), BoxError> {
        let attempt = self.call.resumption().map_or(0, |it| it.attempt);
        let file = match attempt {
            0 => format!("{}.json", self.name),
            attempt => format!("{}.{attempt}.json", self.name),
        };
        let text = tokio::fs::read(scripts.join(&file))
            .await
            .map_err(|error| format!("{file}: {error}"))?;
        let steps: Vec<Value> = serde_json::from_slice(&text)?;
        let mut commands = 0;
        for step in &steps {
            let Some((kind, it)) = step.as_object().and_then(|it| it.iter().next()) else {
                return Err(format!("{step} is no step").into());
            };
            if let Step::Return = self.step(kind, it, &mut commands).await? {
                break;
            }
        }
        Ok(())
    }

    fn note(&self, result: Value) -> Result<(), Error> {
        let lost = result["error"]["code"] == "LOST";
        let message = result["error"]["message"].as_str().unwrap_or_default().to_owned();
        lock(&self.notes).results.push(result);
        if lost { Err(Error::Lost(message)) } else { Ok(()) }
    }

    fn single<'a>(&'a self, step: &'a Value) -> Single<'a> {
        let text = step.get("receiveChar").or_else(|| step.get("receiveText")).is_some();
        Single { script: self, step, text }
    }

    async fn step(&self, kind: &str, it: &Value, commands: &mut usize) -> Result<Step, BoxError> {
        let call = &self.call;
        match kind {
            "command" => {
                *commands += 1;
                let pending = build(call, it, self.single(it))
                    .ok_or_else(|| format!("{it} is no command"))?;
                self.note(pending.await)?;
            }
            "batch" => {
                for (result, _) in self.send(it, commands)? {
                    self.note(result.await)?;
                }
            }
            "begin" => {
                let sent = self.send(it, commands)?;
                // Somebody waits for them, else they would be taken back.
                tokio::spawn(async move {
                    for (result, _) in sent {
                        result.await;
                    }
                });
            }
            "checkpoint" => call.checkpoint(read::bytes(it, "state").unwrap_or_default())?,
            "end" => self.end(it).await?,
            "handoff" => call.handoff(read::text(it, "route"), read::bytes(it, "state")).await?,
            "wait" => tokio::time::sleep(read::duration(it).unwrap_or_default()).await,
            "waitFor" => {
                let what = it.as_str().unwrap_or_default();
                line(&json!({"event": "waiting", "script": self.name, "for": what}));
                match what {
                    "hangup" => drop(call.wait_hangup().await),
                    "draining" => {
                        lock(&self.notes).draining |= call.wait_draining().await.is_some()
                    }
                    _ => drop(call.wait_ended().await),
                }
            }
            "close" if it == "error" => {
                call.release("the script says so")?;
                return Ok(Step::Return);
            }
            "close" => return Ok(Step::Return),
            "throw" => return Err(it.as_str().unwrap_or_default().into()),
            "hang" => {
                line(&json!({"event": "waiting", "script": self.name, "for": "ever"}));
                std::future::pending::<()>().await;
            }
            "running" => {
                let running = call.resumption().and_then(|it| it.running.as_ref());
                let running = running.ok_or("no command runs")?;
                let text = running.name().starts_with("RECEIVE");
                self.note(report::result(running.result().await, text))?;
            }
            "steal" => {
                let other = lock(&RUNNING).get(it.as_str().unwrap_or_default()).cloned();
                let other = other.ok_or_else(|| format!("no running call has the script {it}"))?;
                self.note(noted(other.noop("stolen").into_future(), false).await)?;
            }
            "play" | "ask" | "menu" | "confirm" => {
                let result = self.prompt(kind, it).await;
                let result = match result {
                    Ok(result) => json!({ kind: result }),
                    Err(error) => report::result(Err(error), false),
                };
                self.note(result)?;
            }
            "nextDigit" => {
                let next = read::duration(&it["timeout"]).map_or_else(
                    || call.next_digit(),
                    |timeout| call.next_digit().timeout(timeout),
                );
                self.note(match next.await {
                    Ok(Some(it)) => json!({"nextDigit": {
                        "digit": it.digit.to_string(),
                        "heldMs": u64::try_from(it.duration.as_millis())?,
                    }}),
                    Ok(None) => json!({"nextDigit": {}}),
                    Err(error) => report::result(Err(error), false),
                })?;
            }
            "takeDigits" => self.note(json!({"takeDigits": {"digits": call.take_digits()?}}))?,
            "interrupt" => call.interrupt()?,
            _ => return Err(format!("`{kind}` is no step").into()),
        }
        Ok(Step::Next)
    }

    /// Sends a batch, and takes back what is to be taken back.
    fn send(&self, steps: &Value, commands: &mut usize) -> Result<Vec<Sent>, BoxError> {
        let mut batch = self.call.independent_batch();
        let mut pending = Vec::new();
        let mut cancels = Vec::new();
        let before = *commands;
        for it in steps.as_array().into_iter().flatten() {
            if let Some(step) = it.get("command") {
                *commands += 1;
                let visitor = Batched(self.single(step), &mut batch);
                pending.push(
                    build(&self.call, step, visitor)
                        .ok_or_else(|| format!("{step} is no command"))?,
                );
            } else if let Some(id) = read::count(&it["cancel"], "id") {
                cancels.push(usize::try_from(id)?);
            }
        }
        batch.send()?;
        for id in cancels {
            if let Some((_, cancel)) = id.checked_sub(before + 1).and_then(|at| pending.get(at)) {
                cancel();
            }
        }
        Ok(pending)
    }

    async fn end(&self, it: &Value) -> Result<(), Error> {
        let mut end = self.call.end();
        for (name, value) in it["variables"].as_object().into_iter().flatten() {
            end = end.variable(name, value.as_str().unwrap_or_default());
        }
        if let Some(it) = it.get("failDialplan") {
            end = end.fail(read::text(it, "reason"));
        } else if let Some(it) = it.get("gotoDialplan") {
            end = end.goto(
                read::text(it, "context"),
                read::text(it, "extension"),
                read::number(it, "priority"),
            );
        } else if it.get("hangUp").is_some() {
            end = end.hang_up();
        }
        end.await.map(drop)
    }

    async fn prompt(&self, kind: &str, it: &Value) -> Result<Value, Error> {
        let call = &self.call;
        let prompt = read::text(it, "prompt");
        let timeout = read::duration(&it["timeout"]);
        let (tries, invalid) = (read::count(it, "tries"), read::some_text(it, "invalid"));
        /// Sets what the script has.
        macro_rules! options {
            ($prompt:ident) => {
                if let Some(timeout) = timeout {
                    $prompt = $prompt.timeout(timeout);
                }
                if let Some(tries) = tries {
                    $prompt = $prompt.tries(tries);
                }
                if let Some(invalid) = invalid {
                    $prompt = $prompt.invalid(invalid);
                }
            };
        }
        Ok(match kind {
            "play" => {
                let play = call
                    .play(read::texts(it, "files"))
                    .escape_digits(read::text(it, "escapeDigits"));
                let digit = play.await?.map(|it| it.to_string());
                report::object([("digit", digit.into())])
            }
            "ask" => {
                let mut ask = call.ask(prompt, read::count(it, "maxDigits").unwrap_or_default());
                options!(ask);
                if let Some(accept) = read::some_text(it, "accept") {
                    ask = ask.validate(move |digits| digits == accept);
                }
                json!({ "digits": ask.await? })
            }
            "menu" => {
                let choices = it["choices"].as_object().into_iter().flatten();
                let choices = choices
                    .filter_map(|(digit, choice)| Some((digit.chars().next()?, choice.clone())));
                let mut menu = call.menu(prompt, choices);
                options!(menu);
                json!({ "choice": menu.await? })
            }
            _ => {
                let mut confirm = call.confirm(prompt);
                options!(confirm);
                if let Some(yes) = read::digit(it, "yes") {
                    confirm = confirm.yes(yes);
                }
                if let Some(no) = read::digit(it, "no") {
                    confirm = confirm.no(no);
                }
                json!({ "yes": confirm.await? })
            }
        })
    }
}

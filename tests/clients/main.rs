//! Every scenario through every client library, over each way of serving that it has: the conformance program of each,
//! built on the library as it is packaged, does what the scenario's script says, with the simulated phone in front.
//!
//! `clients/conformance/README.md` says what those programs do. `AGIBRIDGE_ONLY=python,go` plays these languages alone,
//! `AGIBRIDGE_SCENARIO=hangup` the scenarios with this in their name; both fail in the end, as something was left out.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod column;
mod faults;
mod judge;
mod keys;
mod play;
mod scene;
mod table;
mod tokens;
mod told;

use column::{Column, Stand};
use futures_util::future::join_all;
use play::Played;
use scene::Scene;
use std::{collections::VecDeque, env, sync::Arc};
use table::{Cell, Table};
use tokio::task::JoinSet;

/// Scenarios at once, through all columns each: a loaded machine must keep the timing of prompts and digits.
const AT_ONCE_MAX: usize = 4;

type Stands = Vec<(Column, Result<Arc<Stand>, String>)>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_scenario_is_the_same_in_every_language() {
    let scenes = scene::load();
    let scripts = Arc::new(scene::write(&scenes));
    let columns: Vec<Column> = Column::ALL.into_iter().filter(|it| it.is_asked_for()).collect();
    let model = Arc::new(play::Model::start().await);
    let starts = columns.iter().map(|column| {
        let scripts = Arc::clone(&scripts);
        async move {
            let stand = tokio::spawn(Stand::start(*column, scripts)).await;
            (*column, stand.map(Arc::new).map_err(|err| err.to_string()))
        }
    });
    let stands: Arc<Stands> = Arc::new(join_all(starts).await);

    let mut table = Table::new(&columns);
    let asked = env::var("AGIBRIDGE_SCENARIO").unwrap_or_default();
    let complete = asked.is_empty() && columns.len() == Column::ALL.len();
    let mut waiting: VecDeque<_> =
        scenes.into_iter().filter(|scene| scene.stem.contains(&asked)).collect();
    assert!(!waiting.is_empty(), "no scenario is named like {asked:?}");
    let mut running = JoinSet::new();
    loop {
        while running.len() < AT_ONCE_MAX
            && let Some(scene) = waiting.pop_front()
        {
            let (stands, model) = (Arc::clone(&stands), Arc::clone(&model));
            running.spawn(async move { play_all(Arc::new(scene), &stands, &model).await });
        }
        let Some(done) = running.join_next().await else { break };
        let (stem, cells) = done.unwrap();
        table.add(stem, cells);
    }
    // Before a panic: else every program would add its whole log.
    drop(stands);
    drop(model);
    table.say();
    assert!(table.is_clean(), "{}", table.faults().join("\n"));
    assert!(complete, "only a part was asked for, and that passed");
}

/// Plays it through each column at the same time.
async fn play_all(
    scene: Arc<Scene>,
    stands: &Stands,
    model: &Arc<play::Model>,
) -> (String, Vec<Cell>) {
    let expected = {
        let (scene, model) = (Arc::clone(&scene), Arc::clone(model));
        tokio::spawn(async move { model.play(&scene).await })
    };
    let plays = stands.iter().map(|(column, stand)| {
        let (scene, stand, column) = (Arc::clone(&scene), stand.clone(), *column);
        async move {
            let stand = stand?;
            // What panics in there is the fault of this column and this scenario.
            let play = tokio::spawn(async move { play::play(&scene, column, &stand).await });
            play.await.map_err(|err| err.to_string())
        }
    });
    let plays: Vec<Result<Played, String>> = join_all(plays).await;
    let mut model = expected.await.map_err(|err| err.to_string());
    if let Ok(None) = model {
        // No other service plays it: the languages must agree with each other.
        let first = plays.iter().flatten().find(|played| played.faults.is_empty());
        model = Ok(first.map(|played| played.lines.clone()));
    }
    let cells = plays.into_iter().map(|played| judge::judge(played, &model)).collect();
    (scene.stem.clone(), cells)
}

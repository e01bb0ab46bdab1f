//! The worked example of the README, line by line.

use crate::support::World;
use axum::http::Method;

const README: &str = include_str!("../../../../README.md");

/// Path and body of each request of the section.
fn requests() -> Vec<(String, String)> {
    let section = README.split("## Numbers and rules in five minutes").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap().replace("\\\n", " ");
    let lines = section.lines().map(str::trim).filter(|line| line.starts_with("curl "));
    let parts = lines.map(|line| {
        let path = line.split("http://127.0.0.1:8080").nth(1).unwrap();
        let body = line.split(" -d '").nth(1).and_then(|rest| rest.strip_suffix('\'')).unwrap();
        (path.split_whitespace().next().unwrap().to_owned(), body.to_owned())
    });
    parts.collect()
}

#[tokio::test]
async fn the_example_of_the_readme_works() {
    let world = World::new().await;
    assert_eq!(world.own.phones[1].0, 100_001, "as the example says");
    let mut interval = String::new();
    let mut answers = Vec::new();
    for (path, body) in requests() {
        let body = body.replace("INTERVAL_ID", &interval);
        let answer = world.ask(Method::POST, &path, &world.own.token, &body).await;
        assert!(answer.status.is_success(), "{path} {body}: {answer:?}");
        if path.ends_with("/interval/") {
            interval = answer.json()["id"].to_string();
        }
        answers.push(answer.json());
    }
    assert_eq!(answers.len(), 6);
    let explained = answers.last().unwrap();
    assert_eq!(explained["result"], "answered");
    let steps = explained["steps"].as_array().unwrap().iter();
    let texts: Vec<_> = steps.map(|step| step["text"].as_str().unwrap()).collect();
    assert_eq!(
        texts,
        [
            format!("rule 1 is skipped: interval {interval} is not active").as_str(),
            "the extension rings, rule 2 waits for the result",
            "result: busy",
            "rule 2 fires: transfer, the last",
            "answered",
        ]
    );
}

//! The console in a real browser: what a person sees of topics, one topic, groups with lag, messages and brokers.
//! With `GREGOR_SCREENSHOTS` naming a directory the pictures of the documents are taken there.

mod browser;

use anyhow::{Context as _, Result, ensure};
use browser::Browser;
use gregor_harness::broker::gregor_binary;
use gregor_harness::group::Group;
use gregor_harness::process::{CommandLine, Process};
use gregor_harness::{Cluster, ClusterBuilder, TestContext, ports, run, wait};
use std::path::PathBuf;
use std::time::Duration;
use tokio::net::TcpStream;

const ORDERS: usize = 40;

#[test]
fn a_browser_shows_the_cluster() {
    run(async |context| {
        let cluster = ClusterBuilder::new(3)?.start(context).await?;
        fill(&cluster).await?;
        let (_console, address) = start_console(context, &cluster.bootstrap()).await?;
        let browser = Browser::start(context).await?;
        let looked = look(&browser, &address).await;
        let refreshed = match looked {
            Ok(()) => it_refreshes_itself(&browser, &address, &cluster).await,
            failed => failed,
        };
        browser.close().await?;
        refreshed
    });
}

#[test]
fn the_console_says_what_is_wrong() {
    run(async |context| {
        let line = CommandLine::new(gregor_binary("gregor")?.display().to_string()).args([
            "console",
            "--bootstrap-server",
            "nonsense",
        ]);
        let output = line.command().output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(!output.status.success() && said.lines().count() == 1, "{said}");
        ensure!(said.contains("nonsense is not host:port"), "{said}");

        let nobody = format!("127.0.0.1:{}", ports::free_port()?);
        let (_console, address) = start_console(context, &nobody).await?;
        let browser = Browser::start(context).await?;
        browser.execute(&format!("location.href = '{address}/'")).await?;
        let shown = browser.wait_for_text("#problem", "no broker can be reached").await;
        browser.close().await?;
        shown
    });
}

/// A topic with orders as JSON, keys and headers; one with bytes that are no text; a group that has read half of it.
async fn fill(cluster: &Cluster) -> Result<()> {
    cluster.create_topic("orders", 3, 3).await?;
    cluster.create_topic("telemetry", 6, 2).await?;
    let orders: Vec<String> = (0..ORDERS)
        .map(|n| format!(r#"o-{n}|{{"order":{n},"customer":"c-{}","total":{}.90}}"#, n % 7, n * 3))
        .collect();
    let input = orders.join("\n") + "\n";
    let arguments = ["-p", "0", "-K", "|", "-H", "trace=4bf92f35", "-H", "source=shop"];
    cluster.kcat().produce("orders", &arguments, &input).await?;
    cluster.kcat().produce("telemetry", &["-p", "0"], "plain\n").await?;
    let group = Group::new(&cluster.bootstrap(), "billing", "orders", "range");
    let member = group.join()?;
    wait::until_true("billing has committed", Duration::from_secs(30), || async {
        let committed = group.committed(3).await?;
        Ok(committed.get(&0).copied().flatten() == Some(i64::try_from(ORDERS)?))
    })
    .await?;
    member.leave().await?;
    // What nobody has read yet is the lag.
    cluster.kcat().produce("orders", &arguments, "late|{\"order\":99}\n").await
}

async fn start_console(context: &TestContext, bootstrap: &str) -> Result<(Process, String)> {
    let address = format!("127.0.0.1:{}", ports::free_port()?);
    let line = CommandLine::new(gregor_binary("gregor")?.display().to_string()).args([
        "console",
        "--bootstrap-server",
        bootstrap,
        "--listen",
        &address,
    ]);
    let process = Process::spawn(context, "console", &line)?;
    wait::until_true("the console listens", Duration::from_secs(30), || async {
        Ok(TcpStream::connect(&address).await.is_ok())
    })
    .await?;
    Ok((process, format!("http://{address}")))
}

async fn look(browser: &Browser, address: &str) -> Result<()> {
    browser.open(&format!("{address}/#/topics")).await?;
    browser.wait_for_text("#topics", "orders").await?;
    browser.wait_for_text("#topics", "telemetry").await?;
    let hidden = browser.execute("return document.querySelector('#topics').innerText").await?;
    ensure!(!hidden.to_string().contains("__consumer_offsets"), "internal topics are shown unasked");
    picture(browser, "topics").await?;

    browser.follow("orders").await?;
    browser.wait_for("#partitions").await?;
    let partitions =
        browser.execute("return document.querySelectorAll('#partitions tbody tr').length").await?;
    ensure!(partitions == 3, "orders shows {partitions} partitions");
    picture(browser, "topic").await?;

    browser.open(&format!("{address}/#/topics/orders/messages")).await?;
    browser.wait_for_text("#messages", "\"order\": 99").await?;
    browser.wait_for_text("#messages", "trace: 4bf92f35").await?;
    browser.execute("document.querySelector('#from').value = 'offset'; document.querySelector('#offset').value = 3; document.querySelector('#limit').value = 2; document.querySelector('form button').click()").await?;
    browser.wait_for_text("#messages", "\"order\": 3").await?;
    // Numbers are shown as they were sent.
    browser.wait_for_text("#messages", "\"total\": 9.90\n}").await?;
    let shown = browser.execute("return document.querySelectorAll('#messages tbody tr').length").await?;
    ensure!(shown == 2, "asked for 2 messages, {shown} shown");
    picture(browser, "messages").await?;
    browser
        .execute(
            "document.querySelector('#how').value = 'hex'; document.querySelector('form button').click()",
        )
        .await?;
    browser.wait_for_text("#messages", "7b 22 6f 72 64 65 72").await?;

    browser.open(&format!("{address}/#/groups")).await?;
    browser.wait_for_text("#groups", "billing").await?;
    picture(browser, "groups").await?;
    browser.follow("billing").await?;
    browser.wait_for_text("#offsets", "41").await?;
    picture(browser, "group").await?;

    browser.open(&format!("{address}/#/brokers")).await?;
    browser.wait_for_text("#brokers", "controller").await?;
    picture(browser, "brokers").await?;
    browser.open(&format!("{address}/#/brokers/1")).await?;
    browser.wait_for_text("#configs", "zookeeper.connect").await
}

/// A message that arrives is seen without a click.
async fn it_refreshes_itself(browser: &Browser, address: &str, cluster: &Cluster) -> Result<()> {
    browser.open(&format!("{address}/#/groups/billing")).await?;
    cluster.kcat().produce("orders", &["-p", "0"], "one more\n").await?;
    browser.wait_for_text("#offsets", "42").await
}

async fn picture(browser: &Browser, name: &str) -> Result<()> {
    match std::env::var_os("GREGOR_SCREENSHOTS").map(PathBuf::from) {
        Some(dir) => browser.screenshot(&dir.join(format!("{name}.png"))).await.context("screenshot"),
        None => Ok(()),
    }
}

//! A headless Chromium, driven through chromedriver.

use anyhow::{Context as _, Result, ensure};
use fantoccini::wd::Capabilities;
use fantoccini::{Client, ClientBuilder, Locator};
use gregor_harness::process::{CommandLine, Process};
use gregor_harness::{TestContext, ports, wait};
use std::path::Path;
use std::time::Duration;

/// What a page may take to show something on a machine that also runs clusters.
const PATIENCE: Duration = Duration::from_secs(30);

/// A browser with one window.
#[derive(Debug)]
pub struct Browser {
    client: Client,
    _driver: Process,
}

impl Browser {
    /// Starts chromedriver and, through it, the browser.
    pub async fn start(context: &TestContext) -> Result<Browser> {
        let port = ports::free_port()?;
        let line = CommandLine::new("chromedriver").arg(format!("--port={port}"));
        let driver = Process::spawn(context, "chromedriver", &line)?;
        let profile = context.create_dir("chromium")?;
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-first-run",
            "--window-size=1280,820",
            &format!("--user-data-dir={}", profile.display()),
        ];
        let options = serde_json::json!({ "goog:chromeOptions": { "args": arguments } });
        let capabilities: Capabilities = serde_json::from_value(options)?;
        let address = format!("http://127.0.0.1:{port}");
        let client = wait::until("the browser starts", Duration::from_secs(60), || {
            let (address, capabilities) = (address.clone(), capabilities.clone());
            async move {
                let builder =
                    || ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new());
                Ok(builder().capabilities(capabilities).connect(&address).await.ok())
            }
        })
        .await?;
        Ok(Browser { client, _driver: driver })
    }

    /// Opens an address and waits until the page has drawn the view behind its `#`.
    pub async fn open(&self, address: &str) -> Result<()> {
        self.client.goto(address).await?;
        let hash = address.split_once('#').map_or("#/topics".to_owned(), |(_, hash)| format!("#{hash}"));
        self.wait_for(&format!("#view[data-drawn=\"{hash}\"]")).await.map(drop)
    }

    /// The text of the first element of this CSS selector, as soon as there is one.
    pub async fn wait_for(&self, css: &str) -> Result<String> {
        let found = self.client.wait().at_most(PATIENCE).for_element(Locator::Css(css)).await;
        let element = found.with_context(|| format!("the page never showed {css}"))?;
        Ok(element.text().await?)
    }

    /// Waits until the element of this selector shows `text`. The page draws itself anew meanwhile.
    pub async fn wait_for_text(&self, css: &str, text: &str) -> Result<()> {
        let script = "const e = document.querySelector(arguments[0]); return e ? e.innerText : '';";
        wait::until_true(&format!("{css} shows {text:?}"), PATIENCE, || async move {
            let shown = self.client.execute(script, vec![css.into()]).await?;
            Ok(shown.as_str().is_some_and(|shown| shown.contains(text)))
        })
        .await
    }

    /// Clicks the link with this text.
    pub async fn follow(&self, text: &str) -> Result<()> {
        let script = "const a = [...document.querySelectorAll('a')].find(a => a.textContent === arguments[0]); if (a) a.click(); return !!a;";
        let found = self.client.execute(script, vec![text.into()]).await?;
        ensure!(found.as_bool() == Some(true), "the page has no link {text:?}");
        Ok(())
    }

    /// Runs a script in the page.
    pub async fn execute(&self, script: &str) -> Result<serde_json::Value> {
        Ok(self.client.execute(script, Vec::new()).await?)
    }

    /// Writes what the window shows to a PNG file.
    pub async fn screenshot(&self, file: &Path) -> Result<()> {
        std::fs::write(file, self.client.screenshot().await?).with_context(|| file.display().to_string())
    }

    /// Ends the browser.
    pub async fn close(self) -> Result<()> {
        Ok(self.client.close().await?)
    }
}

//! The flags of `larkdeck serve`.

use clap::Args as ClapArgs;

use crate::config::Overrides;

/// `larkdeck serve`.
#[derive(Debug, Clone, ClapArgs)]
pub struct ServeArgs {
    /// Address and port to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: Option<String>,
    /// What the URLs of the integrations begin with: the address that the platform and browsers reach
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
    /// Open no long connection: leave those to the consoles
    #[arg(long)]
    pub no_long_connection: bool,
}

impl ServeArgs {
    /// The flags that stand for settings.
    pub(super) fn overrides(&self) -> Overrides {
        let mut flags = Overrides::new();
        if let Some(listen) = &self.listen {
            flags.push(("server", "listen", listen.clone(), "--listen"));
        }
        if let Some(url) = &self.public_url {
            flags.push(("server", "public_url", url.clone(), "--public-url"));
        }
        flags
    }
}

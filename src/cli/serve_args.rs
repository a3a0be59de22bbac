//! The flags of `larkdeck serve` and of `larkdeck press`.

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
    /// Speak TLS with the certificate in FILE (PEM, with its chain); read anew when it changes
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub tls_cert: Option<String>,
    /// The private key of the certificate (PEM)
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub tls_key: Option<String>,
    /// Open no long connection: leave those to the consoles
    #[arg(long)]
    pub no_long_connection: bool,
}

impl ServeArgs {
    /// The flags that stand for settings.
    pub(super) fn overrides(&self) -> Overrides {
        let mut flags = Overrides::new();
        for (value, key, flag) in [
            (&self.listen, "listen", "--listen"),
            (&self.public_url, "public_url", "--public-url"),
            (&self.tls_cert, "tls_cert", "--tls-cert"),
            (&self.tls_key, "tls_key", "--tls-key"),
        ] {
            flags.extend(value.iter().map(|value| ("server", key, value.clone(), flag)));
        }
        flags
    }
}

/// `larkdeck press`.
#[derive(Debug, Clone, ClapArgs)]
pub struct PressArgs {
    /// Who presses: an id, an email, or a part of a name that only one has
    #[arg(long = "as", value_name = "MEMBER")]
    pub member: String,
    /// In which room: a chat_id, a name, or a part of one that only one room has
    #[arg(long, value_name = "ROOM")]
    pub room: Option<String>,
    /// What the button asks for
    #[arg(long, value_name = "ACTION", default_value = "ack")]
    pub action: String,
}

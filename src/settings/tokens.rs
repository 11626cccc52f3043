//! The file of tokens: who may call over HTTP, and what each may do.
//!
//! A line is `NAME ROLE[,ROLE...] DIGEST`: the digest is the SHA-256 of the token in hexadecimal, so that the file opens
//! no door by itself. Empty lines and lines that start with `#` are left out. All faults are found at once.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

use crate::engine::id::{ClientId, TeamId};

/// Tokens in a file at most.
pub const MAX_TOKENS: usize = 1_000;
/// Bytes of a file at most.
pub const MAX_TOKENS_BYTES: u64 = 1024 * 1024;
/// Roles of a token at most.
pub const MAX_ROLES: usize = 32;
/// Characters of a token's name at most.
pub const MAX_NAME_CHARS: usize = 64;
/// What tokens begin with, so that those who look for lost secrets find them.
pub const TOKEN_PREFIX: &str = "hgt_";
/// Bytes of chance in a token.
pub const TOKEN_BYTES: usize = 32;

/// Stands in the audit log for whoever calls a daemon without tokens.
const LOCAL: &str = "local";

/// Rights that a file must not have: others may neither read nor write it, and nobody else may write it.
const FORBIDDEN_MODE: u32 = 0o027;

/// What a caller may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// Read everything.
    Read,
    /// Read what is of one client.
    ReadOf(ClientId),
    /// Send requests and updates of one client.
    Submit(ClientId),
    /// Speak for one team, and see what it has.
    Team(TeamId),
    /// Read everything, set overrides, bring rosters into force, recall and direct tasks.
    Operate,
    /// All of that, and purge.
    Admin,
}

/// The word of a role, without whom it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RoleKind {
    /// `read`.
    Read,
    /// `read:<client>`.
    ReadOf,
    /// `submit:<client>`.
    Submit,
    /// `team:<id>`.
    Team,
    /// `operate`.
    Operate,
    /// `admin`.
    Admin,
}

impl RoleKind {
    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::ReadOf => "read:<client>",
            Self::Submit => "submit:<client>",
            Self::Team => "team:<id>",
            Self::Operate => "operate",
            Self::Admin => "admin",
        }
    }
}

impl Role {
    /// Its word.
    #[must_use]
    pub fn kind(&self) -> RoleKind {
        match self {
            Self::Read => RoleKind::Read,
            Self::ReadOf(_) => RoleKind::ReadOf,
            Self::Submit(_) => RoleKind::Submit,
            Self::Team(_) => RoleKind::Team,
            Self::Operate => RoleKind::Operate,
            Self::Admin => RoleKind::Admin,
        }
    }

    /// Whether it is a role of this kind or stands above it: `admin` over `operate` over `read`.
    #[must_use]
    pub fn covers(&self, wanted: RoleKind) -> bool {
        match self {
            Self::Admin => matches!(wanted, RoleKind::Admin | RoleKind::Operate | RoleKind::Read),
            Self::Operate => matches!(wanted, RoleKind::Operate | RoleKind::Read),
            Self::Read | Self::ReadOf(_) | Self::Submit(_) | Self::Team(_) => self.kind() == wanted,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read => f.write_str("read"),
            Self::ReadOf(client) => write!(f, "read:{client}"),
            Self::Submit(client) => write!(f, "submit:{client}"),
            Self::Team(team) => write!(f, "team:{team}"),
            Self::Operate => f.write_str("operate"),
            Self::Admin => f.write_str("admin"),
        }
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let of_client = |id: &str| ClientId::new(id).map_err(|error| format!("role {text:?}: {error}"));
        match text.split_once(':') {
            None if text == "read" => Ok(Self::Read),
            None if text == "operate" => Ok(Self::Operate),
            None if text == "admin" => Ok(Self::Admin),
            Some(("read", client)) => of_client(client).map(Self::ReadOf),
            Some(("submit", client)) => of_client(client).map(Self::Submit),
            Some(("team", team)) => {
                TeamId::new(team).map(Self::Team).map_err(|error| format!("role {text:?}: {error}"))
            }
            _ => {
                let shown: String = text.chars().take(80).collect();
                Err(format!("{shown:?} is no role: use read, read:CLIENT, submit:CLIENT, team:ID, operate or admin"))
            }
        }
    }
}

/// Who calls, as a name in the audit log, and what the caller may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Its name.
    pub name: TokenName,
    /// What it may do.
    pub roles: Vec<Role>,
    digest: TokenDigest,
}

/// A name of a token: 1 to 64 of a-z A-Z 0-9 . _ - and @.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TokenName(Box<str>);

impl TokenName {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TokenName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || b"._-@".contains(&byte);
        if text == LOCAL {
            return Err(format!("{LOCAL:?} is the name of a caller without a token: give another"));
        }
        if (1..=MAX_NAME_CHARS).contains(&text.len()) && text.bytes().all(is_inner) {
            return Ok(Self(text.into()));
        }
        let shown: String = text.chars().take(MAX_NAME_CHARS).collect();
        Err(format!("{shown:?} is no name of a token: use 1 to {MAX_NAME_CHARS} of a-z A-Z 0-9 . _ - and @"))
    }
}

impl fmt::Display for TokenName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The SHA-256 of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TokenDigest([u8; 32]);

impl TokenDigest {
    /// The digest of a token as it is sent.
    #[must_use]
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    fn parse(text: &str) -> Result<Self, String> {
        let wrong = || "the last word is not the SHA-256 of a token in 64 hexadecimal digits".to_owned();
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        let mut digest = [0; 32];
        for (place, byte) in digest.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[place * 2..place * 2 + 2], 16).map_err(|_| wrong())?;
        }
        Ok(Self(digest))
    }
}

impl fmt::Display for TokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The tokens of a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tokens(Vec<Token>);

impl Tokens {
    /// The token that a caller shows. Every digest is compared, each in the same time whatever it holds.
    #[must_use]
    pub fn find(&self, shown: &str) -> Option<&Token> {
        let digest = TokenDigest::of(shown);
        let mut found = None;
        for token in &self.0 {
            if bool::from(token.digest.0.ct_eq(&digest.0)) {
                found = Some(token);
            }
        }
        found
    }

    /// Whether a token stands here as it is.
    #[must_use]
    pub fn has(&self, token: &Token) -> bool {
        self.0.contains(token)
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

/// Reads a file of tokens.
///
/// # Errors
/// Every fault as a line: `file:line: what is wrong and what to do`, without anything of a token.
pub fn read(path: &Path) -> Result<Tokens, Vec<String>> {
    let shown = path.display();
    let text = contents(path).map_err(|message| vec![format!("{shown}: {message}")])?;
    parse(&text).map_err(|faults| faults.into_iter().map(|(line, fault)| format!("{shown}:{line}: {fault}")).collect())
}

fn contents(path: &Path) -> Result<String, String> {
    let unreadable = |error: std::io::Error| format!("cannot be read: {error}");
    let about = fs::metadata(path).map_err(unreadable)?;
    let mode = about.permissions().mode() & 0o7777;
    if mode & FORBIDDEN_MODE != 0 {
        return Err(format!(
            "has mode {mode:04o}: others must not read it and nobody else write it; chmod 0600 or 0640"
        ));
    }
    let mut text = String::new();
    File::open(path).and_then(|file| file.take(MAX_TOKENS_BYTES + 1).read_to_string(&mut text)).map_err(unreadable)?;
    if text.len() as u64 > MAX_TOKENS_BYTES {
        return Err(format!("has more than {MAX_TOKENS_BYTES} bytes, the limit"));
    }
    Ok(text)
}

/// The tokens of a text; each fault with its line.
fn parse(text: &str) -> Result<Tokens, Vec<(usize, String)>> {
    let (mut tokens, mut faults) = (Vec::new(), Vec::new());
    let (mut names, mut digests) = (BTreeSet::new(), BTreeSet::new());
    for (number, line) in text.lines().enumerate().map(|(index, line)| (index + 1, line.trim())) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match token(line) {
            Ok(token) => {
                if !names.insert(token.name.clone()) {
                    faults.push((
                        number,
                        format!("{:?} is the name of an earlier line: give another", token.name.as_str()),
                    ));
                }
                if !digests.insert(token.digest) {
                    faults.push((number, "has the digest of an earlier line: make a token of its own".to_owned()));
                }
                tokens.push(token);
            }
            Err(wrong) => faults.extend(wrong.into_iter().map(|fault| (number, fault))),
        }
    }
    if tokens.is_empty() && faults.is_empty() {
        faults.push((1, "has no token, so nobody could call: `heliograph token` makes one".to_owned()));
    }
    if tokens.len() > MAX_TOKENS {
        faults.push((1, format!("has {} tokens, the limit is {MAX_TOKENS}", tokens.len())));
    }
    if faults.is_empty() { Ok(Tokens(tokens)) } else { Err(faults) }
}

fn token(line: &str) -> Result<Token, Vec<String>> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [name, roles, digest] = words[..] else {
        // What stands there may be a token, so it is not shown.
        return Err(vec!["is not NAME ROLE[,ROLE...] DIGEST, three words".to_owned()]);
    };
    let mut faults = Vec::new();
    let name = kept(name.parse(), &mut faults);
    let digest = kept(TokenDigest::parse(digest), &mut faults);
    let roles: Vec<Role> = roles.split(',').filter_map(|role| kept(role.parse(), &mut faults)).collect();
    if roles.len() > MAX_ROLES {
        faults.push(format!("has {} roles, the limit is {MAX_ROLES}", roles.len()));
    }
    match (name, digest) {
        (Some(name), Some(digest)) if faults.is_empty() => Ok(Token { name, roles, digest }),
        _ => Err(faults),
    }
}

/// The value, or its fault put beside the others.
fn kept<T>(read: Result<T, String>, faults: &mut Vec<String>) -> Option<T> {
    read.map_err(|fault| faults.push(fault)).ok()
}

/// A token of these bytes of chance, as it is sent.
#[must_use]
pub fn written(chance: &[u8; TOKEN_BYTES]) -> String {
    chance.iter().fold(TOKEN_PREFIX.to_owned(), |token, byte| token + &format!("{byte:02x}"))
}

/// The line of the file for a token.
#[must_use]
pub fn line(name: &TokenName, roles: &[Role], token: &str) -> String {
    let roles: Vec<String> = roles.iter().map(ToString::to_string).collect();
    format!("{name} {} {}", roles.join(","), TokenDigest::of(token))
}

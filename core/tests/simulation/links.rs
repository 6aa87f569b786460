//! Lives on bad links: slow ones, where a message comes in parts, ones where something else answers than the server, and
//! servers that ping and do not read, or leave what they are asked unanswered.
//!
//! Unlike in the other lives the whole driver runs, handshake and frames included, on a clock that jumps. Four promises:
//! nothing but the database's own word ends a client; a socket over which bytes come is not given up; the server, which
//! drops whom it has not heard for 30 s, never has to; and what is held for a server stays within its bounds.
#![expect(clippy::disallowed_methods, reason = "this measures the driver, by its clock")]

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use lightlike_core::conn::{
    Config, Connection, ConnectionState, Endpoint, Event, Reconnect, Server as Address,
    SubscribeParameters,
};
use lightlike_core::driver::{
    AppliedBy, Connect, Connecting, DialOptions, Io, Shared, StreamDialer, accept_key, drive,
};
use lightlike_core::limits::Limits;
use lightlike_core::wire::{Compression, Protocol, decode_client, encode_server};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, ReadHalf, WriteHalf};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::Random;
use crate::item::Item;
use crate::server::{Act, Items, Server};

/// How long the server waits for any frame of the client's.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// How many things happen in a life.
const STEPS: usize = 25;
const GIVEN_UP: &str = "the client gave up a socket that was alive";
/// How much the server puts into a frame: little, because its rows are few.
const FRAME: usize = 64;
/// The most that a client may have to say to a server that did not read: what the driver's buffer holds, and the link.
const UNREAD_MAX: usize = 160 * 1024;
/// Pings that a server sends that does not read, in bursts: their answers are twice as many bytes.
const PINGS_A_BURST: usize = 50;
const BURSTS: usize = 50;
const PING_BYTES: usize = 125;
/// What is gathered of a resync at most: a few dozen messages.
const MAX_RESYNC_BYTES: usize = 12 * 1024;

/// What stands between client and server for now.
#[derive(Debug, Clone, Copy)]
struct Weather {
    /// Who answers a dial in the server's place.
    answers: Option<&'static str>,
    bytes_a_second: usize,
    /// Messages are cut into frames.
    in_frames: bool,
    /// Nothing comes or goes any more.
    stalls: bool,
    /// The server pings, and reads nothing.
    is_deaf: bool,
}

impl Weather {
    const FAIR: Self = Self {
        answers: None,
        bytes_a_second: 1 << 20,
        in_frames: true,
        stalls: false,
        is_deaf: false,
    };
}

/// What answers a handshake, other than the server.
const ANSWERS: [&str; 16] = [
    "HTTP/1.1 302 Found\r\nLocation: http://portal.example/login\r\ncontent-length: 0\r\n\r\n",
    "HTTP/1.1 307 Temporary Redirect\r\nLocation: https://elsewhere.example/\r\n\r\n",
    "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 23\r\n\r\n<html>Sign in.</html>  ",
    "HTTP/1.1 404 Not Found\r\ncontent-type: text/plain\r\ncontent-length: 18\r\n\r\n404 page not found",
    "HTTP/1.1 404 Not Found\r\ncontent-type: text/html\r\ncontent-length: 4\r\n\r\ngone",
    "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n",
    "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"hotel\"\r\ncontent-length: 0\r\n\r\n",
    "HTTP/1.1 401 Unauthorized\r\ncontent-length: 13\r\n\r\nInvalid token",
    "HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno",
    "HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n",
    "HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n",
    "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 20\r\ncontent-length: 0\r\n\r\n",
    "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 7\r\ncontent-length: 0\r\n\r\n",
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: forged\r\n\r\n",
    "SSH-2.0-OpenSSH_9.2\r\n",
    "",
];

/// The server's side of the world.
#[derive(Debug)]
struct World {
    server: Server,
    weather: Weather,
    /// Goes up when every open socket is cut.
    cuts: u64,
    /// The number of the socket that is served.
    socket: u64,
    /// Pings that are to be answered.
    pings: u32,
    /// Bursts of pings that are to be sent while it does not read.
    bursts: usize,
    /// Promises that were broken.
    broken: Vec<&'static str>,
}

impl World {
    fn serves(&self, served: (u64, u64)) -> bool {
        served == (self.socket, self.cuts)
    }

    /// The next frames for the client, and how fast they go.
    fn next(&mut self, pinged: &mut Instant) -> Option<Vec<u8>> {
        if self.weather.stalls {
            return None;
        }
        if self.weather.is_deaf && self.bursts > 0 && self.server.outbox.is_empty() {
            self.bursts -= 1;
            let ping = [&[0x89, PING_BYTES as u8][..], &[7; PING_BYTES]].concat();
            return Some(ping.repeat(PINGS_A_BURST));
        }
        if self.pings > 0 {
            self.pings -= 1;
            return Some(vec![0x8a, 0]);
        }
        // One that answers no pings has to say something itself before they are given up.
        let pause = if self.weather.is_deaf { 5 } else { 15 };
        if pinged.elapsed() > Duration::from_secs(pause) {
            *pinged = Instant::now();
            return Some(vec![0x89, 0]);
        }
        let sent = self.server.outbox.pop_front()?;
        let mut payload = vec![0];
        encode_server(&sent.message, &mut payload).unwrap();
        Some(frames(&payload, if self.weather.in_frames { FRAME } else { usize::MAX }))
    }
}

type Worlds = Arc<Mutex<World>>;

fn lock(world: &Worlds) -> MutexGuard<'_, World> {
    world.lock().unwrap()
}

/// Opens links into the world.
struct Links {
    world: Worlds,
    open: Mutex<JoinSet<()>>,
}

impl Connect for Links {
    fn connect(&self, _: &Address) -> Connecting {
        let (client, server) = tokio::io::duplex(256);
        self.open.lock().unwrap().spawn(answer(Arc::clone(&self.world), server));
        Box::pin(async move { Ok(Box::new(client) as Box<dyn Io>) })
    }
}

/// Answers one dial.
async fn answer(world: Worlds, mut stream: DuplexStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { return };
        head.push(byte);
    }
    let weather = lock(&world).weather;
    if let Some(answer) = weather.answers {
        let _ = stream.write_all(answer.as_bytes()).await;
        return;
    }
    let head = String::from_utf8(head).unwrap();
    let key = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
    let upgrade = format!(
        "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {}\r\nSec-WebSocket-Protocol: {}\r\n\r\n",
        accept_key(key),
        Protocol::V3.subprotocol(),
    );
    if stream.write_all(upgrade.as_bytes()).await.is_err() {
        return;
    }
    let served = {
        let mut world = lock(&world);
        world.server.greet();
        world.socket += 1;
        world.pings = 0;
        (world.socket, world.cuts)
    };
    let (reading, writing) = tokio::io::split(stream);
    let ended = tokio::select! {
        ended = hear(&world, reading, served) => Some(ended),
        ended = speak(&world, writing, served) => ended,
    };
    let mut world = lock(&world);
    if world.serves(served) {
        let stalls = world.weather.stalls;
        world.broken.extend(ended.filter(|_| !stalls));
        world.server.hang_up();
    }
}

/// Hears the client out; what is wrong with how it ends.
async fn hear(
    world: &Worlds,
    mut stream: ReadHalf<DuplexStream>,
    served: (u64, u64),
) -> &'static str {
    loop {
        if does_not_read(world).await && read_backlog(world, &mut stream, served).await > UNREAD_MAX
        {
            return "the client held more than it may for a server that did not read";
        }
        match timeout(IDLE_TIMEOUT, client_frame(&mut stream)).await {
            Err(_) => return "the server heard nothing for 30 s",
            Ok(None) => return GIVEN_UP,
            Ok(Some((opcode, payload))) => receive(world, served, opcode, payload),
        }
    }
}

/// Waits while the server does not read; whether it did not.
async fn does_not_read(world: &Worlds) -> bool {
    let mut waited = false;
    loop {
        let Weather { stalls, is_deaf, .. } = lock(world).weather;
        if !stalls && !is_deaf {
            return waited;
        }
        waited = true;
        sleep(Duration::from_millis(100)).await;
    }
}

/// Reads what was held back for the server, all of which comes at once; how much it was.
async fn read_backlog(
    world: &Worlds,
    stream: &mut ReadHalf<DuplexStream>,
    served: (u64, u64),
) -> usize {
    let mut bytes = 0;
    while let Ok(Some((opcode, payload))) =
        timeout(Duration::from_millis(1), client_frame(stream)).await
    {
        // With its header and its mask.
        bytes += payload.len() + 6;
        receive(world, served, opcode, payload);
    }
    bytes
}

/// Takes a frame of the client's, unless its socket was cut and another is served.
fn receive(world: &Worlds, served: (u64, u64), opcode: u8, payload: Vec<u8>) {
    let mut world = lock(world);
    match opcode {
        _ if !world.serves(served) => (),
        2 => {
            for message in decode_client(&payload.into(), Protocol::V3, &Limits::DEFAULT) {
                world.server.receive(message.unwrap());
            }
        }
        9 => world.pings += 1,
        _ => (),
    }
}

/// A frame of the client's: what it is, and its payload.
async fn client_frame(stream: &mut ReadHalf<DuplexStream>) -> Option<(u8, Vec<u8>)> {
    let (kind, second) = (stream.read_u8().await.ok()?, stream.read_u8().await.ok()?);
    let len = match second & 0x7f {
        126 => usize::from(stream.read_u16().await.ok()?),
        len => usize::from(len),
    };
    let mut mask = [0; 4];
    stream.read_exact(&mut mask).await.ok()?;
    let mut payload = vec![0; len];
    stream.read_exact(&mut payload).await.ok()?;
    payload.iter_mut().enumerate().for_each(|(at, byte)| *byte ^= mask[at % 4]);
    Some((kind & 0x0f, payload))
}

/// Says what the server has to say, as fast as the link is, and pings in between.
async fn speak(
    world: &Worlds,
    mut stream: WriteHalf<DuplexStream>,
    served: (u64, u64),
) -> Option<&'static str> {
    let mut pinged = Instant::now();
    // The greeting is not what takes long.
    let mut speed = Weather::FAIR.bytes_a_second;
    loop {
        let frames = {
            let mut world = lock(world);
            if !world.serves(served) {
                return None;
            }
            world.next(&mut pinged)
        };
        let Some(frames) = frames else {
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        for part in frames.chunks(speed.div_ceil(4)) {
            if !lock(world).serves(served) {
                return None;
            }
            if stream.write_all(part).await.is_err() {
                return Some(GIVEN_UP);
            }
            sleep(Duration::from_millis(250)).await;
        }
        speed = lock(world).weather.bytes_a_second;
    }
}

fn frames(payload: &[u8], size: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let count = payload.len().div_ceil(size);
    for (n, part) in payload.chunks(size).enumerate() {
        let last = if n + 1 == count { 0x80 } else { 0 };
        bytes.push(last | if n == 0 { 2 } else { 0 });
        match part.len() {
            len @ 0..126 => bytes.push(len as u8),
            len => {
                bytes.push(126);
                bytes.extend(u16::try_from(len).unwrap().to_be_bytes());
            }
        }
        bytes.extend(part);
    }
    bytes
}

/// A client in the world.
struct Life {
    random: Random,
    world: Worlds,
    shared: Arc<Shared>,
    states: Arc<Mutex<Vec<ConnectionState>>>,
}

/// A whole life; panics where a promise is broken.
pub(crate) fn live(seed: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(Life::live(seed));
}

impl Life {
    async fn live(seed: u64) {
        let mut random = Random(seed);
        let world = World {
            server: Server::default(),
            weather: Weather::FAIR,
            cuts: 0,
            socket: 0,
            pings: 0,
            bursts: 0,
            broken: Vec::new(),
        };
        let world = Arc::new(Mutex::new(world));
        let mut config = config(&mut random);
        config.limits.max_resync_bytes = MAX_RESYNC_BYTES;
        let mut connection = Connection::new(config, None, u128::from(random.next()));
        connection.register::<Item>().unwrap();
        for query in [1, 12, 23] {
            let _ = connection.subscribe(vec![format!("SELECT * FROM t WHERE {query}").into()]);
        }
        let states = Arc::new(Mutex::new(Vec::new()));
        let mut life = Self {
            random,
            world: Arc::clone(&world),
            shared: Shared::new(connection),
            states: Arc::clone(&states),
        };
        let deliver = move |event| {
            if let Event::State(state) = event {
                states.lock().unwrap().push(state);
            }
        };
        let links = Links { world, open: Mutex::default() };
        let dialer = StreamDialer::new(options()).unwrap().over(Arc::new(links));
        let driver = drive(Arc::clone(&life.shared), AppliedBy::Loop, dialer, deliver).unwrap();
        let shared = Arc::clone(&life.shared);
        tokio::select! {
            () = driver => panic!("the client has ended: {:?}", life.state()),
            () = stay_within_bounds(&shared) => (),
            () = life.happen() => (),
        }
    }

    async fn happen(&mut self) {
        self.becomes_ready().await;
        for _ in 0..STEPS {
            self.step().await;
            self.check();
        }
        {
            // What is under way is as slow as it was: it begins anew.
            let mut world = lock(&self.world);
            world.weather = Weather::FAIR;
            world.server.withholds = false;
            world.cuts += 1;
        }
        self.becomes_ready().await;
        sleep(Duration::from_secs(60)).await;
        self.check();
        let rows = lock(&self.world).server.items.clone();
        assert_eq!(self.rows(), rows, "what is seen is not what the server has");
    }

    async fn step(&mut self) {
        match self.random.below(10) {
            0..=4 => {
                let act = Act::Put(self.random.below(400) as u32, self.random.below(9) as u32);
                let many = 1 + self.random.below(60);
                (0..many).for_each(|n| {
                    let Act::Put(id, value) = act else { return };
                    lock(&self.world).server.transact(Act::Put((id + n as u32) % 400, value));
                });
            }
            5..=6 => self.turn_weather(),
            7 => lock(&self.world).cuts += 1,
            8 => self.shared.command(|connection, now| connection.reconnect_now(now)),
            _ => (),
        }
        let seconds = self.random.below(90);
        sleep(Duration::from_secs(seconds)).await;
    }

    /// Other weather, and the sockets of before are cut where something else answers from now on.
    fn turn_weather(&mut self) {
        let speeds = [12, 30, 100, 1 << 20];
        let which = self.random.below(ANSWERS.len() as u64) as usize;
        let answers = self.random.chance(40).then_some(ANSWERS[which]);
        let mut weather = Weather {
            answers,
            bytes_a_second: speeds[self.random.below(4) as usize],
            in_frames: self.random.chance(60),
            stalls: self.random.chance(10),
            is_deaf: self.random.chance(15),
        };
        if weather.is_deaf {
            weather = Weather { is_deaf: true, ..Weather::FAIR };
        }
        let withholds = self.random.chance(30);
        let mut world = lock(&self.world);
        // One that withholds answers is met by those who come back.
        if weather.answers.is_some() || world.weather.stalls || withholds {
            world.cuts += 1;
        }
        (world.weather, world.server.withholds) = (weather, withholds);
        world.bursts = BURSTS;
    }

    /// Waits for the client to come back, which takes no longer than its longest pauses.
    async fn becomes_ready(&self) {
        let longest = Duration::from_secs(180);
        let began = Instant::now();
        // Of the sockets that were cut it may not have heard.
        sleep(Duration::from_secs(45)).await;
        while !matches!(self.state(), Some(ConnectionState::Ready)) {
            assert!(began.elapsed() < longest, "it does not come back: {:?}", self.state());
            sleep(Duration::from_secs(1)).await;
        }
    }

    fn state(&self) -> Option<ConnectionState> {
        self.states.lock().unwrap().last().cloned()
    }

    fn check(&self) {
        let closed = matches!(self.state(), Some(ConnectionState::Closed(_)));
        assert!(!closed, "{:?}", self.state());
        let broken = std::mem::take(&mut lock(&self.world).broken);
        // Nothing may be locked where this panics: the driver ends then, and delivers.
        let (last, weather) = (self.last_states(), lock(&self.world).weather);
        assert!(broken.is_empty(), "{broken:?}, with {weather:?}: {last:?}");
    }

    fn last_states(&self) -> Vec<ConnectionState> {
        self.states.lock().unwrap().iter().rev().take(3).cloned().collect()
    }

    fn rows(&self) -> Items {
        let view = self.shared.read(Connection::reader).read();
        let table = view.table::<Item>().unwrap();
        table.iter().map(|row| (row.id, row.value)).collect()
    }
}

/// Looks again and again whether what the client holds is within its bounds.
async fn stay_within_bounds(shared: &Shared) {
    loop {
        assert_eq!(shared.read(Connection::bound_faults), []);
        sleep(Duration::from_millis(250)).await;
    }
}

/// The defaults, but that some times never end: an application may wish so, and no promise rests on them.
fn config(random: &mut Random) -> Config {
    let mut config = Config::default();
    let Config { connect_timeout, slow_after, close_timeout, linger, reconnect, .. } = &mut config;
    let Reconnect {
        grace, stable_after, retry_after_max, session_busy_pause, resync_timeout, ..
    } = reconnect;
    let times = [
        connect_timeout,
        slow_after,
        close_timeout,
        linger,
        grace,
        stable_after,
        retry_after_max,
        session_busy_pause,
        resync_timeout,
    ];
    for time in times {
        if random.chance(10) {
            *time = Duration::MAX;
        }
    }
    config
}

fn options() -> DialOptions {
    let endpoint = Endpoint::new(Address::parse("http://db.example").unwrap(), "db").unwrap();
    let compression = Compression::None;
    let parameters = SubscribeParameters { compression, confirmed: None, connection_id: None };
    DialOptions::new(endpoint, parameters, Limits::DEFAULT)
}

//! Draws: the whole terminal where there is one, a line per frame otherwise.

use arena_rules::Dot;
use crossterm::event::{self, Event, KeyCode, KeyModifiers};
use crossterm::{cursor, execute, queue, style, terminal};
use std::io::{IsTerminal, Result, Write, stdout};
use std::time::Duration;

/// Where frames go.
pub(crate) enum Screen {
    /// A terminal, in raw mode, on its alternate screen.
    Terminal,
    /// Anything else.
    Lines,
}

impl Screen {
    pub(crate) fn open() -> Result<Self> {
        if !stdout().is_terminal() {
            return Ok(Self::Lines);
        }
        terminal::enable_raw_mode()?;
        execute!(stdout(), terminal::EnterAlternateScreen, cursor::Hide)?;
        Ok(Self::Terminal)
    }

    pub(crate) fn wants_to_quit(&self) -> Result<bool> {
        if matches!(self, Self::Lines) || !event::poll(Duration::ZERO)? {
            return Ok(false);
        }
        let Event::Key(key) = event::read()? else { return Ok(false) };
        let interrupt = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
        Ok(interrupt || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc))
    }

    pub(crate) fn draw(&mut self, frame: u64, dots: &[Dot], news: &str) -> Result<()> {
        match self {
            Self::Lines => draw_line(frame, dots),
            Self::Terminal => draw_terminal(dots, news),
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if matches!(self, Self::Terminal) {
            // On the way out there is nobody left to tell of an error.
            let _ = execute!(stdout(), cursor::Show, terminal::LeaveAlternateScreen);
            let _ = terminal::disable_raw_mode();
        }
    }
}

fn draw_line(frame: u64, dots: &[Dot]) -> Result<()> {
    let dots = dots.iter().take(3).map(|dot| format!("{}({:.3}, {:.3})", dot.look, dot.x, dot.y));
    writeln!(stdout().lock(), "frame {frame}: {}", dots.collect::<Vec<_>>().join(" "))
}

fn draw_terminal(dots: &[Dot], news: &str) -> Result<()> {
    let (columns, rows) = terminal::size()?;
    let (width, height) = (f32::from(columns.saturating_sub(1)), f32::from(rows.saturating_sub(2)));
    let mut out = stdout().lock();
    queue!(out, terminal::BeginSynchronizedUpdate, terminal::Clear(terminal::ClearType::All))?;
    for dot in dots {
        // Positions lie between 0 and 1, so these fit.
        let (column, row) = ((dot.x * width) as u16, ((1.0 - dot.y) * height) as u16);
        queue!(out, cursor::MoveTo(column, row), style::Print(dot.look))?;
    }
    let news: String = news.chars().take(usize::from(columns)).collect();
    queue!(out, cursor::MoveTo(0, rows.saturating_sub(1)), style::Print(news))?;
    queue!(out, terminal::EndSynchronizedUpdate)?;
    out.flush()
}

/* Each unit is a small state machine that knows when its next event can happen, or that
 * it waits for another unit. The earliest event of all happens next, so that what units
 * share (the ports, the buffer, the queues) is used in the order of time. A unit that
 * waits has the time kNever.
 *
 * A time is the number of a clock cycle; cycle 0 accepts the start. "Usable at t" means
 * that a unit may act on it in cycle t. */
#include "program/forecast.h"

#include <assert.h>
#include <string.h>

#include "program/forecast_skip.h"
#include "program/forecast_state.h"
#include "support/error.h"
#include "support/memory.h"

/* Cycles of the units' pipelines: hw/README.md, "Timing". */
enum {
  kFetchStart = 2,   /* start accepted -> first request for the program */
  kRequestBurst = 2, /* request -> first burst at the arbiter of gmem1 ... */
  kArbiter = 1,      /* ... -> address on gmem1 */
  kRequestAlone = 2, /* request -> address on gmem0 */
  kReadSlice = 1,    /* register slice behind R: latency ... */
  kSkidBeats = 1,    /* ... and beats that it takes while its reader waits */
  kFetchToHead = 2,  /* last beat of an instruction -> at the dispatcher */
  kPushToHead = 1,   /* into a queue -> at its head */
  kTileHere = 1,     /* last row of a tile arrived -> may be shifted */
  kDoneToken = 1,    /* done -> token usable */
  kJobStart = 2,     /* LOAD, STORE accepted, or the last row of the one before -> rows */
  kLoadDone = 1,     /* last row granted -> done */
  kWeightsDone = 1,  /* last beat arrived -> done */
  kMatmulLanding = 4, /* last row issued -> done, beside 2 Dim */
  kMatmulLands = 3,   /* the same, until the half may be read */
  kActivateRead = 3,  /* accepted -> first accumulator row read */
  kActivateRaw = 5,   /* accumulator read -> raw row offered */
  kActivateInt8 = 14, /* accumulator read -> int8 row offered */
  kActivateGive = 1,  /* last row taken -> tokens given */
  kStoreRead = 3,     /* row asked of the buffer -> taken for sending */
  kRowToBeat = 3,     /* row taken by the store unit -> its first beat at memory */
  kStoreSlack = 2,    /* beats that wait between the row register and memory */
  kStoreDone = 4,     /* last response arrived -> done */
  kEnd = 3            /* all units idle -> the run is over */
};

/* ---- what units share ----------------------------------------------------------------
 */

/* `beats` beats, the first not before `from`, each occupying the taker for `hold` cycles.
 * *last is the cycle of the last one; returns that of the first. */
static int64_t transfer(channel *c, int64_t from, int64_t beats, int64_t hold,
                        int64_t *last) {
  int64_t first = from > c->free ? from : c->free;
  int64_t due = (c->due + c->unit - 1) / c->unit;
  if (due > first) first = due;
  int64_t base = first * c->unit - (c->unit - 1);
  if (c->due > base) base = c->due;
  int64_t step = c->step > hold * c->unit ? c->step : hold * c->unit;
  *last = (base + (beats - 1) * step + c->unit - 1) / c->unit;
  if (*last < first + (beats - 1) * hold) *last = first + (beats - 1) * hold;
  c->due = base + (beats - 1) * step + c->step;
  c->free = *last + hold;
  c->beats += beats;
  return first;
}

/* When the next beat can be there, if its address went out at `address`. */
static int64_t beat_from(const channel *c, int64_t address) {
  int64_t at = address + c->latency, due = (c->due + c->unit - 1) / c->unit;
  if (c->free > at) at = c->free;
  return due > at ? due : at;
}

/* The last beat was taken in cycle `at` only; a pause is not made up for. */
static void delay_channel(channel *c, int64_t at) {
  int64_t due = at * c->unit - (c->unit - 1) + c->step;
  if (due > c->due) c->due = due;
  if (at + 1 > c->free) c->free = at + 1;
}

/* Cycle of beat `i` of a transfer whose first and last are known. */
static int64_t beat_at(int64_t first, int64_t last, int64_t beats, int64_t i) {
  return beats <= 1 ? first : first + (last - first) * i / (beats - 1);
}

/* Cycles before `now` are forgotten. */
static void port_forget(port_b *p, int64_t now) {
  int64_t first = now / 64;
  if (first - p->first >= kPortWords) memset(p->taken, 0, sizeof p->taken);
  for (; p->first < first && first - p->first < kPortWords; p->first++) {
    p->taken[p->first % kPortWords] = 0;
  }
  p->first = first;
}

static int port_is_free(const port_b *p, int64_t at) {
  return at / 64 - p->first >= kPortWords ||
         (p->taken[at / 64 % kPortWords] >> (at % 64) & 1) == 0;
}

/* Takes `rows` cycles from `from` on, at least `pace` apart. Returns the cycle after the
 * last. */
static int64_t port_take(port_b *p, int64_t from, int64_t rows, int64_t pace) {
  int64_t at = from;
  for (int64_t i = 0; i < rows; i++, at += pace) {
    for (;; at++) {
      int64_t word = at / 64;
      if (word - p->first >= kPortWords) return at + (rows - i - 1) * pace + 1;
      uint64_t bit = UINT64_C(1) << (at % 64);
      if (p->taken[word % kPortWords] & bit) continue;
      p->taken[word % kPortWords] |= bit;
      break;
    }
  }
  return at - pace + 1;
}

/* ---- the units ------------------------------------------------------------------------
 */

static int64_t max64(int64_t a, int64_t b) { return a > b ? a : b; }
static int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }

static void busy_until(forecaster *f, int64_t at) { f->idle_at = max64(f->idle_at, at); }

static void give(forecaster *f, int unit, unsigned mask, int64_t done) {
  for (int to = 0; to < SYSTOLE_UNITS; to++) {
    if ((mask >> to & 1u) == 0) continue;
    tokens *t = &f->tokens[unit][to];
    t->at[t->given++ % (1u << SYSTOLE_TOKEN_BITS)] = done + kDoneToken;
  }
  busy_until(f, done);
}

/* The instruction at a unit's head, or NULL. */
static const systole_instruction *head(const forecaster *f, int unit) {
  const queue *q = &f->queues[unit];
  return q->count == 0 ? NULL : &f->instructions[q->at[q->head]];
}

/* When the head's tokens are all there; *from, when not NULL, is the unit whose token
 * came last. */
static int64_t tokens_at(const forecaster *f, int unit) {
  unsigned wait = (unsigned)SYSTOLE_GET(head(f, unit), WAIT);
  int64_t at = 0;
  for (int from = 0; from < SYSTOLE_UNITS; from++) {
    if ((wait >> from & 1u) == 0) continue;
    const tokens *t = &f->tokens[from][unit];
    if (t->taken == t->given) return kNever;
    at = max64(at, t->at[t->taken % (1u << SYSTOLE_TOKEN_BITS)]);
  }
  return at;
}

/* When a unit can accept its head; kNever while that is not known. */
static int64_t accept_at(const forecaster *f, int unit) {
  const queue *q = &f->queues[unit];
  if (q->count == 0) return kNever;
  return max64(max64(q->head_at[q->head], q->free), tokens_at(f, unit));
}

/* Takes the head in cycle `now`. The caller sets when the unit is free again. */
static const systole_instruction *accept(forecaster *f, int unit, int64_t now) {
  queue *q = &f->queues[unit];
  const systole_instruction *taken_one = head(f, unit);
  unsigned wait = (unsigned)SYSTOLE_GET(taken_one, WAIT);
  for (int from = 0; from < SYSTOLE_UNITS; from++) {
    if (wait >> from & 1u) f->tokens[from][unit].taken++;
  }
  q->head = (q->head + 1) % SYSTOLE_QUEUE_DEPTH;
  q->count--;
  q->freed = now + 1;
  if (q->count > 0) q->head_at[q->head] = max64(q->head_at[q->head], now + 1);
  q->free = now + 1;
  return taken_one;
}

/* ---- memory that answers for itself
 * --------------------------------------------------------- */

/* The cycle in which a burst is answered: by the law `latency` after burst `cycle`, else
 * by the bus; kNever while the answer is missing. */
static int64_t answer_of(forecaster *f, int unit, int64_t cycle, int64_t latency,
                         int64_t offset, int64_t bytes) {
  if (f->open == NULL) return cycle + latency;
  const systole_forecast_bus *bus = f->open->bus;
  const systole_forecast_burst burst = {unit, f->open->now, cycle, offset, bytes};
  const int64_t at = bus->send(bus->user, &burst);
  if (at == SYSTOLE_FORECAST_ABANDON) f->open->abandoned = 1;
  return at < 0 ? kNever : at;
}

/* ---- fetch and dispatch
 * ---------------------------------------------------------------- */

static int64_t next_fetch(const forecaster *f) {
  if (f->asked == f->count) return kNever;
  uint32_t piece = f->count - f->asked < kFetchPiece ? f->count - f->asked : kFetchPiece;
  if (f->asked + piece <= kFetchAhead) return f->ask_at;
  uint32_t needed = f->asked + piece - kFetchAhead; /* that have left */
  if (f->popped < needed) return kNever;
  return max64(f->ask_at, f->popped_at[(needed - 1) % kRing] + 1 + kRequestBurst);
}

/* `piece` instructions from number `first_one` on can come from cycle `from` on. */
static void program_comes(forecaster *f, uint32_t first_one, uint32_t piece,
                          int64_t from) {
  int64_t beats = SYSTOLE_INSTRUCTION_BYTES / f->axi, last;
  int64_t first = transfer(&f->gmem1_read, from, piece * beats, 1, &last);
  for (uint32_t i = 0; i < piece; i++) {
    int64_t beat = beat_at(first, last, piece * beats, (i + 1) * beats - 1);
    f->here_at[(first_one + i) % kRing] = beat + kReadSlice + kFetchToHead;
  }
}

/* A burst of weights can come from cycle `from` on. */
static void weights_come(forecaster *f, const gmem1_burst *burst, int64_t from) {
  weight_piece *p = &f->pieces[burst->piece % kRing];
  int64_t last, beats = burst->beats, before = burst->before;
  int64_t first = kReadSlice + transfer(&f->gmem1_read, from, beats, p->hold, &last);
  last += kReadSlice;
  f->burst_end[burst->number % kRing] = last;
  /* Tiles whose last row is in this burst. */
  while (p->rows > 0) {
    int64_t end = (f->tiles_here + 1) * f->dim - p->row; /* rows of the piece till then */
    if (end > p->rows) break;
    int64_t beat = systole_ceil_div(end * p->all_beats, p->rows) - 1;
    if (beat >= before + beats) break;
    f->tile_here[f->tiles_here++ % kTileRing] =
        beat_at(first, last, beats, beat - before) + kTileHere + (p->hold - 1);
  }
  if (!burst->last) return;
  p->end = last;
  if (p->last) give(f, SYSTOLE_UNIT_WEIGHT, p->give, last + kWeightsDone);
}

/* A burst of gmem1 is answered, or (kNever) will be, when those before it are. */
static void gmem1_answered(forecaster *f, const gmem1_burst *burst, int64_t from) {
  if (from >= kNever) {
    f->open->gmem1[f->open->gmem1_sent++ % kRing] = *burst;
  } else if (burst->fetch) {
    program_comes(f, burst->first, burst->count, from);
  } else {
    weights_come(f, burst, from);
  }
}

/* An event of the fetch is its burst at the arbiter. */
static void do_fetch(forecaster *f, int64_t now) {
  f->fetch_was_last = 1;
  uint32_t piece = f->count - f->asked < kFetchPiece ? f->count - f->asked : kFetchPiece;
  uint32_t first = f->asked;
  int64_t address = max64(now + kArbiter, f->gmem1_read.address_free);
  f->gmem1_read.address_free = address + 1;
  f->asked += piece;
  f->ask_at = now + 1;
  for (uint32_t i = 0; i < piece; i++) f->here_at[(first + i) % kRing] = kNever;
  int64_t from = answer_of(f, SYSTOLE_UNIT_FETCH, address, f->gmem1_read.latency,
                           (int64_t)first * SYSTOLE_INSTRUCTION_BYTES,
                           (int64_t)piece * SYSTOLE_INSTRUCTION_BYTES);
  const gmem1_burst burst = {.fetch = 1, .first = first, .count = piece};
  gmem1_answered(f, &burst, from);
}

/* An instruction leaves the fetch queue, or the dispatcher. */
static int64_t next_dispatch(const forecaster *f) {
  if (f->ended) return kNever;
  if (!f->holds) {
    return f->popped < f->asked ? max64(f->here_at[f->popped % kRing], f->pushed_at)
                                : kNever;
  }
  int unit =
      systole_opcode_unit((int)SYSTOLE_GET(&f->instructions[f->popped - 1], OPCODE));
  if (unit >= SYSTOLE_UNITS || unit < 0) return f->hold_at;
  const queue *q = &f->queues[unit];
  return q->count < SYSTOLE_QUEUE_DEPTH ? max64(f->hold_at, q->freed) : kNever;
}

static void do_dispatch(forecaster *f, int64_t now) {
  if (!f->holds) {
    f->popped_at[f->popped++ % kRing] = now;
    f->holds = 1;
    f->hold_at = now + 1;
    return;
  }
  uint32_t index = f->popped - 1;
  int unit = systole_opcode_unit((int)SYSTOLE_GET(&f->instructions[index], OPCODE));
  f->holds = 0;
  f->pushed_at = now;
  busy_until(f, now);
  if (unit >= SYSTOLE_UNITS || unit < 0) {
    f->ended = 1;
    return;
  }
  queue *q = &f->queues[unit];
  int slot = (q->head + q->count++) % SYSTOLE_QUEUE_DEPTH;
  q->at[slot] = index;
  q->head_at[slot] = now + kPushToHead;
}

/* ---- weights
 * ---------------------------------------------------------------------------- */

static int64_t fifo_rows(const forecaster *f) {
  return (int64_t)f->geometry->weight_tiles * f->dim;
}

static int64_t piece_rows(const forecaster *f) {
  int64_t rows = min64(fifo_rows(f) / 4, 256 * f->axi / f->dim);
  return max64(rows, max64(1, f->axi / f->dim)); /* a beat, in the smallest FIFO */
}

static int64_t next_weights(const forecaster *f) {
  if (!f->asking_weights) return accept_at(f, SYSTOLE_UNIT_WEIGHT);
  int64_t at = f->weights_at;
  if (f->asked_pieces - f->cut_pieces >= kWeightRequests) return kNever;
  if (f->asked_pieces - f->cut_pieces == kWeightRequests - 1) at = max64(at, f->cut_at);
  if (f->asked_pieces >= kWeightPieces) {
    at = max64(at, f->pieces[(f->asked_pieces - kWeightPieces) % kRing].end + 1);
    if (at > kNever) return kNever;
  }
  if (f->params) return at;
  /* Rows that must have left the FIFO so that this piece has room. */
  int64_t leaves = f->rows_asked + min64(f->rows_left, piece_rows(f)) - fifo_rows(f);
  if (leaves <= 0) return at;
  int64_t tile = (leaves - 1) / f->dim;
  if (tile >= f->tiles_shifted) return kNever;
  return max64(at, f->tile_shift[tile % kTileRing] + (leaves - 1) % f->dim + 2);
}

static void do_weights(forecaster *f, int64_t now) {
  if (!f->asking_weights) {
    const systole_instruction *i = accept(f, SYSTOLE_UNIT_WEIGHT, now);
    f->asking_weights = 1;
    f->params = (int)SYSTOLE_GET(i, WEIGHTS_PARAMS);
    f->weights_give = (unsigned)SYSTOLE_GET(i, GIVE);
    f->weights_from = (int64_t)SYSTOLE_GET(i, WEIGHTS_OFFSET);
    f->rows_left = (int64_t)SYSTOLE_GET(i, WEIGHTS_TILES) * f->dim;
    f->weights_at = now + 1;
    return;
  }
  weight_piece *p = &f->pieces[f->asked_pieces++ % kRing];
  *p = (weight_piece){.from = f->weights_from,
                      .beats = SYSTOLE_PARAM_BYTES * f->dim / f->axi,
                      .hold = 1,
                      .at = now + kRequestBurst,
                      .row = f->rows_asked,
                      .end = kNever,
                      .give = f->weights_give};
  if (!f->params) {
    p->rows = min64(f->rows_left, piece_rows(f));
    p->beats = p->rows * f->dim / f->axi;
    /* Several ports bring one beat each in a cycle. */
    p->beats = systole_ceil_div(p->beats, max64(1, f->geometry->weight_ports));
    p->hold = max64(1, f->axi / f->dim);
  }
  p->all_beats = p->beats;
  f->rows_asked += p->rows;
  f->rows_left -= p->rows;
  f->weights_from += p->rows * f->dim;
  f->weights_at = now + 1;
  p->last = f->params || f->rows_left == 0;
  if (p->last) {
    f->asking_weights = 0;
    f->queues[SYSTOLE_UNIT_WEIGHT].free = now + 1;
  }
}

/* A burst of the piece that is being cut goes to the arbiter. */
static int64_t next_burst(const forecaster *f) {
  if (f->cut_pieces == f->asked_pieces) return kNever;
  int64_t at = max64(f->pieces[f->cut_pieces % kRing].at, f->cut_at);
  if (f->bursts >= kWeightBursts) {
    at = max64(at, f->burst_end[(f->bursts - kWeightBursts) % kRing] + 1);
  }
  return at;
}

static void do_burst(forecaster *f, int64_t now) {
  f->fetch_was_last = 0;
  weight_piece *p = &f->pieces[f->cut_pieces % kRing];
  int64_t burst_beats = f->axi > 16 ? 4096 / f->axi : 256;
  int64_t beats = min64(p->beats, burst_beats - p->from / f->axi % burst_beats);
  int64_t address = max64(now + kArbiter, f->gmem1_read.address_free);
  f->gmem1_read.address_free = address + 1;
  const gmem1_burst burst = {.piece = f->cut_pieces,
                             .beats = beats,
                             .before = p->all_beats - p->beats,
                             .number = f->bursts,
                             .last = beats == p->beats};
  int64_t offset = p->from;
  f->burst_end[f->bursts++ % kRing] = kNever;
  p->from += beats * f->axi;
  p->beats -= beats;
  f->cut_at = now + 1;
  f->cut_pieces += (unsigned)burst.last;
  int64_t from = answer_of(f, SYSTOLE_UNIT_WEIGHT, address, f->gmem1_read.latency, offset,
                           beats * f->axi);
  gmem1_answered(f, &burst, from);
}

/* A tile leaves the FIFO for the shadow registers. */
static int64_t next_shift(const forecaster *f) {
  int64_t tile = f->tiles_shifted;
  if (tile == f->tiles_here || f->tiles_used < tile) return kNever;
  int64_t at = f->tile_here[tile % kTileRing];
  if (tile > 0) {
    at = max64(at, f->tile_shift[(tile - 1) % kTileRing] + f->dim);
    at = max64(at, f->used_at);
  }
  return at;
}

/* ---- the array
 * -------------------------------------------------------------------------- */

/* Cycles accounted .. until - 1 belong to a category of the ledger. */
static void account(forecaster *f, int64_t until, uint64_t *category) {
  if (until <= f->accounted) return;
  if (f->first_row < 0) category = &f->ledger.start;
  *category += (uint64_t)(until - f->accounted);
  f->accounted = until;
}

static int64_t next_array(const forecaster *f) {
  if (!f->working) return accept_at(f, SYSTOLE_UNIT_ARRAY);
  if (f->tiles_used == f->tiles_shifted) return kNever;
  int64_t at = max64(f->issue_from, f->tile_shift[f->tiles_used % kTileRing] + f->dim);
  if (f->matmuls >= kMatmulPending) {
    at = max64(at, f->pending[f->matmuls % kMatmulPending] + 1);
  }
  return at;
}

static void accept_matmul(forecaster *f, int64_t now) {
  /* What the array waited for: an instruction, tokens, or only for the one before. */
  const queue *q = &f->queues[SYSTOLE_UNIT_ARRAY];
  int64_t here = q->head_at[q->head];
  const tokens *halves = &f->tokens[SYSTOLE_UNIT_ACTIVATE][SYSTOLE_UNIT_ARRAY];
  unsigned wait = (unsigned)SYSTOLE_GET(head(f, SYSTOLE_UNIT_ARRAY), WAIT);
  int64_t half_at = wait >> SYSTOLE_UNIT_ACTIVATE & 1u
                        ? halves->at[halves->taken % (1u << SYSTOLE_TOKEN_BITS)]
                        : 0;
  account(f, min64(here, now), &f->ledger.other);
  account(f, min64(half_at, now), &f->ledger.output_stall);
  account(f, now, &f->ledger.input_stall);

  const systole_instruction *i = accept(f, SYSTOLE_UNIT_ARRAY, now);
  f->working = 1;
  f->rows = (int64_t)(SYSTOLE_GET(i, MATMUL_ROWS0) * SYSTOLE_GET(i, MATMUL_ROWS1));
  f->steps = (int64_t)(SYSTOLE_GET(i, MATMUL_RED0) * SYSTOLE_GET(i, MATMUL_RED1) *
                       SYSTOLE_GET(i, MATMUL_RED2));
  f->overwrites = !SYSTOLE_GET(i, MATMUL_ACCUMULATE);
  f->half = (int64_t)SYSTOLE_GET(i, MATMUL_ACC_ROW) >= (int64_t)f->geometry->acc_rows / 2;
  f->matmul_give = (unsigned)SYSTOLE_GET(i, GIVE);
  f->issue_from = max64(now + 1, f->free_at);
}

/* The first row of a tile, and all that follow it. */
static void do_array(forecaster *f, int64_t now) {
  if (!f->working) {
    accept_matmul(f, now);
    return;
  }
  int64_t tile = f->tiles_used++;
  f->used_at = now;
  int64_t here = f->tile_here[tile % kTileRing];
  account(f, min64(here, now), &f->ledger.weight_stall);
  account(f, min64(f->tile_shift[tile % kTileRing] + f->dim, now),
          &f->ledger.weight_shift);
  account(f, now, &f->ledger.other);
  if (f->first_row < 0) f->first_row = now;
  int64_t end = now + f->rows;
  account(f, end, &f->ledger.active);
  f->last_row = end - 1;
  f->free_at = end;
  /* A row that adds to the row before waits a cycle for its sum. */
  f->issue_from = end + (f->rows == 1 && f->steps > 1);
  f->landed_at[f->half] = end - 1 + 2 * f->dim + kMatmulLands;
  f->overwrites = 0;
  if (--f->steps > 0) return;
  f->working = 0;
  f->queues[SYSTOLE_UNIT_ARRAY].free = end - 1; /* the next one follows without a gap */
  int64_t done = end - 1 + 2 * f->dim + kMatmulLanding;
  f->pending[f->matmuls++ % kMatmulPending] = done;
  give(f, SYSTOLE_UNIT_ARRAY, f->matmul_give, done);
}

/* ---- copies: what LOAD and STORE have in common
 * ------------------------------------------ */

static copy read_copy(const forecaster *f, const systole_instruction *i) {
  copy c = {0};
  c.rows = (int64_t)SYSTOLE_GET(i, COPY_ROWS);
  c.lines = (int64_t)SYSTOLE_GET(i, COPY_LINES);
  c.blocks = (int64_t)SYSTOLE_GET(i, COPY_BLOCKS);
  c.before = (int64_t)SYSTOLE_GET(i, COPY_FILL_BEFORE);
  c.after = (int64_t)SYSTOLE_GET(i, COPY_FILL_AFTER);
  c.offset = (int64_t)SYSTOLE_GET(i, COPY_OFFSET);
  c.line_stride = SYSTOLE_GET_SIGNED(i, COPY_MEM_LINE_STRIDE);
  c.block_stride = SYSTOLE_GET_SIGNED(i, COPY_MEM_BLOCK_STRIDE);
  c.raw = (int)SYSTOLE_GET(i, COPY_RAW);
  const int64_t lanes = (int64_t)SYSTOLE_GET(i, COPY_RAW_LANES);
  c.row_bytes = !c.raw ? f->dim : 4 * (lanes > 0 ? lanes : f->dim);
  c.give = (unsigned)SYSTOLE_GET(i, GIVE);
  return c;
}

/* Accepts, or asks for the next burst. `limit` bursts may be in flight; retired_at tells
 * when a burst's place was free again. */
static int64_t next_ask(const forecaster *f, const copier *c, int unit, unsigned limit,
                        const int64_t *retired_at, unsigned retired) {
  if (c->request_bytes > 0) {
    if (c->issued < limit) return c->request_at;
    unsigned place = c->issued - limit;
    return place < retired ? max64(c->request_at, retired_at[place % kRing] + 1) : kNever;
  }
  if (c->asking) return c->ask_at;
  if (c->accepted - c->finished >= kUnitJobs) return kNever;
  return max64(accept_at(f, unit), c->slot_at);
}

static void do_ask(forecaster *f, copier *c, int unit, channel *port, int64_t now) {
  if (c->request_bytes > 0) { /* one burst of the request */
    int64_t burst_bytes = min64(4096, 256 * f->axi);
    int64_t bytes = min64(c->request_bytes, burst_bytes - c->request_from % burst_bytes);
    int64_t address = max64(now, port->address_free);
    unsigned burst = c->issued++ % kRing;
    int64_t offset = c->request_from;
    port->address_free = address + 1;
    c->address_at[burst] = address;
    c->beats[burst] = systole_ceil_div(bytes, f->axi);
    c->request_from += bytes;
    c->request_bytes -= bytes;
    c->request_at = address + 1;
    if (f->open == NULL) return;
    if (unit == SYSTOLE_UNIT_STORE) { /* sent when its last beat is */
      f->open->store_from[burst] = offset;
      f->open->store_bytes[burst] = bytes;
    } else {
      /* As if the address had gone out that much later. */
      int64_t from = answer_of(f, unit, address, 0, offset, bytes);
      c->address_at[burst] = from - port->latency;
      if (from >= kNever) f->open->loads[f->open->loads_sent++ % kRing] = burst;
    }
    return;
  }
  if (!c->asking) {
    copy *job = &c->jobs[c->accepted % kUnitJobs];
    *job = read_copy(f, accept(f, unit, now));
    c->start_at[c->accepted % kUnitJobs] = now + kJobStart;
    c->accepted++;
    c->asking = 1;
    c->block = c->line = 0;
    c->ask_at = now + 1;
    return;
  }
  const copy *job = &c->jobs[(c->accepted - 1) % kUnitJobs];
  if (job->rows > 0) {
    c->request_from =
        job->offset + c->block * job->block_stride + c->line * job->line_stride;
    c->request_bytes = systole_ceil_div(job->rows * job->row_bytes, f->axi) * f->axi;
    c->request_at = max64(now + kRequestAlone, c->request_at);
  }
  c->ask_at = now + 1;
  if (++c->line == job->lines) {
    c->line = 0;
    c->block++;
  }
  if (c->block == job->blocks) {
    c->asking = 0;
    f->queues[unit].free = now + 1;
  }
}

/* The job at work, started if it can be; NULL when there is none. */
static const copy *job_of(const copier *c) {
  return c->finished == c->accepted ? NULL : &c->jobs[c->finished % kUnitJobs];
}

/* `rows` rows of the line have moved; returns 1 when that was the job's last. */
static int advance(copier *c, const copy *job, int64_t rows) {
  c->position += rows;
  if (c->position < job->before + job->rows + job->after) return 0;
  c->position = 0;
  if (++c->at_line < job->lines) return 0;
  c->at_line = 0;
  if (++c->at_block < job->blocks) return 0;
  c->at_block = 0;
  return 1;
}

static void finish(copier *c, int64_t last) {
  c->finished++;
  c->running = 0;
  c->ready = last + kJobStart;
  c->slot_at = last + 1;
}

/* ---- load
 * ------------------------------------------------------------------------------ */

static int is_data(const copier *c, const copy *job) {
  return c->position >= job->before && c->position < job->before + job->rows;
}

static int64_t next_load(const forecaster *f) {
  const copier *c = &f->load;
  const copy *job = job_of(c);
  if (job == NULL) return kNever;
  int64_t at =
      c->running ? c->ready : max64(c->ready, c->start_at[c->finished % kUnitJobs]);
  if (!is_data(c, job)) return at;
  if (c->moved == c->issued) return kNever;
  int64_t beat = beat_from(&f->gmem0_read, c->address_at[c->moved % kRing]);
  return max64(at, beat + kReadSlice);
}

/* A STORE sends rows when they are there: of the buffer, or of a raw ACTIVATE. */
static int store_takes(const forecaster *f, int raw) {
  const copy *job = job_of(&f->store);
  return job != NULL && job->raw == raw;
}

/* LOAD has the lowest priority at port B: it goes row by row while others are about. */
static int64_t load_quantum(const forecaster *f) {
  int shared = (f->activating && !f->raw) || store_takes(f, 0);
  return shared ? max64(1, f->axi / f->dim) : kQuantum;
}

/* Rows of the burst at hand, or of a fill, into the buffer. */
static void do_load(forecaster *f, int64_t now) {
  copier *c = &f->load;
  const copy *job = job_of(c);
  int64_t rows, end;
  c->running = 1;
  int data = is_data(c, job), shared = load_quantum(f) < kQuantum;
  int whole_row = !data || (c->parts + 1) * f->axi >= f->dim;
  if (shared && whole_row && !port_is_free(&f->port_b, now)) {
    c->ready = now + 1;
    if (data) delay_channel(&f->gmem0_read, now - kReadSlice - kSkidBeats);
    return;
  }
  if (data) {
    unsigned burst = c->moved % kRing;
    int64_t from = max64(now - kReadSlice, c->address_at[burst] + f->gmem0_read.latency);
    int64_t most = min64(job->before + job->rows - c->position, load_quantum(f));
    rows = 0;
    for (int i = 0; rows < most && c->beats[burst] > 0 && !(shared && i > 0); i++) {
      int64_t beat = transfer(&f->gmem0_read, from, 1, 1, &end) + kReadSlice;
      c->beats[burst]--;
      if (++c->parts < f->dim / f->axi) continue; /* a row needs more beats */
      c->parts = 0;
      /* A beat waits for its rows' places, and those behind wait with it. */
      int64_t whole = max64(1, f->axi / f->dim);
      end = port_take(&f->port_b, beat, min64(whole, most - rows), 1);
      rows += min64(whole, most - rows);
      delay_channel(&f->gmem0_read, end - 1 - kReadSlice - kSkidBeats);
    }
    if (c->beats[burst] == 0) {
      c->ended_at[burst] = f->gmem0_read.free;
      c->moved++;
    }
    if (rows == 0) { /* beats that do not complete a row */
      c->ready = f->gmem0_read.free + kReadSlice;
      return;
    }
  } else {
    int64_t stop =
        c->position < job->before ? job->before : job->before + job->rows + job->after;
    rows = min64(stop - c->position, load_quantum(f));
    end = port_take(&f->port_b, now, rows, 1);
  }
  unsigned gives = job->give;
  c->ready = end;
  if (advance(c, job, rows)) {
    give(f, SYSTOLE_UNIT_LOAD, gives, end - 1 + kLoadDone);
    finish(c, end - 1);
  }
}

/* ---- activation unit and store
 * -------------------------------------------------------------- */

static int64_t store_ready(const forecaster *f) {
  const copier *c = &f->store;
  int64_t at =
      c->running ? c->ready : max64(c->ready, c->start_at[c->finished % kUnitJobs]);
  if (c->moved == c->issued) return kNever; /* its address is still to come */
  if (c->finished >= kStoreAnswers) {
    at = max64(at, f->answers[(c->finished - kStoreAnswers) % kRing] + 1);
  }
  return at;
}

/* When a burst whose last beat goes out in cycle `last` is answered. */
static int64_t write_answer(forecaster *f, unsigned burst, int64_t last) {
  unanswered *open = f->open;
  if (open == NULL) return last + f->gmem0_write.latency;
  int64_t at = answer_of(f, SYSTOLE_UNIT_STORE, last, 0, open->store_from[burst],
                         open->store_bytes[burst]);
  if (at >= kNever) open->writes[open->writes_sent++ % kRing] = burst;
  return at;
}

/* A STORE has sent all its bursts, and is done with the last response. */
static void stored(forecaster *f, store_end end) {
  const int64_t response = f->response_at[end.burst];
  f->answers[end.job % kRing] = response + kStoreDone;
  if (response >= kNever) {
    f->open->stores[f->open->stores_sent++ % kRing] = end;
  } else {
    give(f, SYSTOLE_UNIT_STORE, end.give, response + kStoreDone);
  }
}

/* Sends `rows` rows of the store's job that are taken from `from` on. Returns the cycle
 * in which the next row could be taken. */
static int64_t send(forecaster *f, int64_t from, int64_t rows, int64_t *last_taken) {
  copier *c = &f->store;
  const copy *job = job_of(c);
  int64_t beats = systole_ceil_div(rows * job->row_bytes, f->axi), last = from;
  int64_t hold = max64(1, f->axi / job->row_bytes);
  int64_t pace = max64(1, job->row_bytes / f->axi);
  c->running = 1;
  for (int64_t left = beats; left > 0;) {
    unsigned burst = c->moved % kRing;
    int64_t now_beats = min64(left, c->beats[burst]);
    assert(c->moved < c->issued);
    int64_t begin = max64(from + kRowToBeat, c->address_at[burst] + 1);
    transfer(&f->gmem0_write, begin, now_beats, hold, &last);
    left -= now_beats;
    c->beats[burst] -= now_beats;
    if (c->beats[burst] == 0) {
      f->response_at[burst] = write_answer(f, burst, last);
      c->moved++;
    }
    if (left > 0 && c->moved == c->issued) break; /* the rest waits for its address */
  }
  /* The last row was taken when its first beat could wait in front of the port. */
  *last_taken = max64(from + (rows - 1) * pace,
                      last - kRowToBeat - pace + 1 -
                          (f->gmem0_write.step > f->gmem0_write.unit ? kStoreSlack : 0));
  c->ready = *last_taken + pace;
  unsigned gives = job->give;
  if (advance(c, job, rows)) {
    stored(f, (store_end){(c->moved - 1) % kRing, c->finished, gives});
    finish(c, *last_taken);
  }
  return c->ready;
}

/* Rows that can move in one step: to the end of the line, and of the bursts that have
 * their addresses. */
static int64_t sendable(const forecaster *f, int64_t most) {
  const copier *c = &f->store;
  const copy *job = job_of(c);
  int64_t beats = 0, bytes = job->row_bytes;
  for (unsigned b = c->moved; b != c->issued && beats * f->axi < most * bytes; b++) {
    beats += c->beats[b % kRing];
  }
  int64_t rows = min64(job->rows - c->position, systole_ceil_div(beats * f->axi, bytes));
  return min64(rows, most);
}

/* Pixels that `count` windows see of an image's `size`, all together. */
static int64_t seen(int64_t count, int64_t window, int64_t stride, int64_t pad,
                    int64_t size) {
  int64_t sum = 0;
  for (int64_t n = 0; n < count; n++) {
    const int64_t from = max64(n * stride - pad, 0);
    sum += max64(min64(n * stride - pad + window, size) - from, 0);
  }
  return sum;
}

/* Cycles from output row to output row: reads of the accumulators, rounded up, and two
 * uses of port B with a residual. */
static int64_t activate_pace(const systole_instruction *i) {
  const int64_t least = SYSTOLE_GET(i, ACTIVATE_RESIDUAL) ? 2 : 1;
  if (SYSTOLE_GET(i, ACTIVATE_POOL) == SYSTOLE_POOL_NONE) return least;
  const int64_t rows0 = (int64_t)SYSTOLE_GET(i, ACTIVATE_ROWS0);
  const int64_t rows1 = (int64_t)SYSTOLE_GET(i, ACTIVATE_ROWS1);
  const int64_t reads = seen(rows0, (int64_t)SYSTOLE_GET(i, ACTIVATE_POOL_WIDTH),
                             (int64_t)SYSTOLE_GET(i, ACTIVATE_POOL_STRIDE_W),
                             (int64_t)SYSTOLE_GET(i, ACTIVATE_POOL_PAD_LEFT),
                             (int64_t)SYSTOLE_GET(i, ACTIVATE_POOL_IN_WIDTH)) *
                        seen(rows1, (int64_t)SYSTOLE_GET(i, ACTIVATE_POOL_HEIGHT),
                             (int64_t)SYSTOLE_GET(i, ACTIVATE_POOL_STRIDE_H),
                             (int64_t)SYSTOLE_GET(i, ACTIVATE_POOL_PAD_TOP),
                             (int64_t)SYSTOLE_GET(i, ACTIVATE_POOL_IN_HEIGHT));
  return max64(least, systole_ceil_div(reads, rows0 * rows1));
}

static int64_t next_activate(const forecaster *f) {
  if (!f->activating) return accept_at(f, SYSTOLE_UNIT_ACTIVATE);
  if (!f->raw) return f->activate_at;
  return store_takes(f, 1) ? max64(f->activate_at, store_ready(f)) : kNever;
}

/* Raw: tokens are given when the last accumulator row has been read, which needs a slot
 * for it; if an int8 row of an earlier instruction has not been taken by then, when this
 * one's last row is. */
static void give_early(forecaster *f) {
  const int64_t slots = f->dim >= 128 ? 2 * kSlots : kSlots;
  const int64_t before = f->raw_rows + f->activate_left - slots; /* rows taken by then */
  if (!f->raw || before > f->raw_rows) return;
  int64_t read = f->activate_read + (f->activate_rows - 1) * f->activate_pace;
  if (before > 0) read = max64(read, f->raw_taken_at[(before - 1) % kRing] + 1);
  if (read <= f->int8_until) return;
  f->gave = 1;
  f->queues[SYSTOLE_UNIT_ACTIVATE].free = read - 1; /* the next one enters behind it */
  give(f, SYSTOLE_UNIT_ACTIVATE, f->activate_give, read + kActivateGive);
}

static void do_activate(forecaster *f, int64_t now) {
  if (!f->activating) {
    const systole_instruction *i = accept(f, SYSTOLE_UNIT_ACTIVATE, now);
    int half =
        (int64_t)SYSTOLE_GET(i, ACTIVATE_ACC_ROW) >= (int64_t)f->geometry->acc_rows / 2;
    f->activating = 1;
    f->raw = (int)SYSTOLE_GET(i, ACTIVATE_RAW);
    f->activate_give = (unsigned)SYSTOLE_GET(i, GIVE);
    f->activate_left =
        (int64_t)(SYSTOLE_GET(i, ACTIVATE_ROWS0) * SYSTOLE_GET(i, ACTIVATE_ROWS1));
    f->activate_pace = activate_pace(i);
    int64_t reads = max64(now + kActivateRead, f->landed_at[half] + 1);
    reads += f->activate_pace - 1; /* the last one of the first output row */
    /* Rows follow those of the instruction before without a gap. */
    f->activate_at =
        max64(reads + (f->raw ? kActivateRaw : kActivateInt8), f->activate_free);
    f->activate_read = reads;
    f->activate_rows = f->activate_left;
    f->gave = 0;
    give_early(f);
    return;
  }
  int64_t last, rows = min64(f->activate_left, f->raw ? kQuantum : kSharedQuantum);
  if (f->raw) {
    rows = sendable(f, rows);
    const int64_t pace = max64(1, job_of(&f->store)->row_bytes / f->axi);
    f->activate_at = send(f, now, rows, &last);
    for (int64_t r = rows - 1; r >= 0; r--) {
      f->raw_taken_at[f->raw_rows++ % kRing] = last - r * pace;
    }
  } else {
    last = port_take(&f->port_b, now, rows, f->activate_pace) - 1;
    f->activate_at = last + f->activate_pace;
  }
  f->activate_left -= rows;
  if (!f->gave) give_early(f);
  if (f->activate_left > 0) return;
  f->activating = 0;
  f->activate_free = last + 1;
  if (f->gave) return;
  f->queues[SYSTOLE_UNIT_ACTIVATE].free = now; /* the next one enters behind it */
  give(f, SYSTOLE_UNIT_ACTIVATE, f->activate_give, last + kActivateGive);
  if (!f->raw) f->int8_until = last;
}

/* Rows of the unified buffer to memory. */
static int64_t next_store(const forecaster *f) {
  return store_takes(f, 0) ? store_ready(f) : kNever;
}

static void do_store(forecaster *f, int64_t now) {
  int64_t rows = sendable(f, kSharedQuantum), last;
  int first = !f->store.running;
  int64_t end = send(f, now + (first ? kStoreRead : 0), rows, &last);
  port_take(&f->port_b, now, rows, max64(1, (end - now) / rows));
}

/* ---- the run
 * -------------------------------------------------------------------------------- */

/* Events of the same cycle happen in this order, which is port B's. */
enum {
  kFetch,
  kDispatch,
  kWeights,
  kBurst,
  kShift,
  kArray,
  kLoadAsk,
  kStoreAsk,
  kStore,
  kActivate,
  kLoad,
  kProcesses
};

static int64_t next_event(const forecaster *f, int process) {
  switch (process) {
    case kFetch: {
      int64_t at = next_fetch(f); /* the two masters of gmem1 take turns */
      return at + (at < kNever && f->fetch_was_last && next_burst(f) == at);
    }
    case kDispatch:
      return next_dispatch(f);
    case kWeights:
      return next_weights(f);
    case kBurst:
      return next_burst(f);
    case kShift:
      return next_shift(f);
    case kArray:
      return next_array(f);
    case kLoadAsk:
      return next_ask(f, &f->load, SYSTOLE_UNIT_LOAD, kLoadBursts, f->load.ended_at,
                      f->load.moved);
    case kStoreAsk:
      return next_ask(f, &f->store, SYSTOLE_UNIT_STORE, kStoreBursts, f->response_at,
                      f->store.moved);
    case kStore:
      return next_store(f);
    case kActivate:
      return next_activate(f);
    default:
      return next_load(f);
  }
}

static void do_event(forecaster *f, int process, int64_t now) {
  switch (process) {
    case kFetch:
      do_fetch(f, now);
      break;
    case kDispatch:
      do_dispatch(f, now);
      break;
    case kWeights:
      do_weights(f, now);
      break;
    case kBurst:
      do_burst(f, now);
      break;
    case kShift:
      f->tile_shift[f->tiles_shifted++ % kTileRing] = now;
      break;
    case kArray:
      do_array(f, now);
      break;
    case kLoadAsk:
      do_ask(f, &f->load, SYSTOLE_UNIT_LOAD, &f->gmem0_read, now);
      break;
    case kStoreAsk:
      do_ask(f, &f->store, SYSTOLE_UNIT_STORE, &f->gmem0_write, now);
      break;
    case kStore:
      do_store(f, now);
      break;
    case kActivate:
      do_activate(f, now);
      break;
    default:
      do_load(f, now);
  }
}

/* An answer that was missing. */
static void take_answer(forecaster *f, const systole_forecast_answer *answer) {
  unanswered *o = f->open;
  if (answer->unit == SYSTOLE_UNIT_LOAD) {
    assert(o->loads_taken != o->loads_sent);
    f->load.address_at[o->loads[o->loads_taken++ % kRing]] =
        answer->cycle - f->gmem0_read.latency;
  } else if (answer->unit == SYSTOLE_UNIT_STORE) {
    assert(o->writes_taken != o->writes_sent);
    unsigned burst = o->writes[o->writes_taken++ % kRing];
    f->response_at[burst] = answer->cycle;
    if (o->stores_taken != o->stores_sent &&
        o->stores[o->stores_taken % kRing].burst == burst) {
      stored(f, o->stores[o->stores_taken++ % kRing]);
    }
  } else {
    assert(o->gmem1_taken != o->gmem1_sent);
    gmem1_answered(f, &o->gmem1[o->gmem1_taken++ % kRing], answer->cycle);
  }
}

/* The next event is in cycle `now`; while answers are missing, one may come before, and
 * then another event may be the next: returns 1. */
static int is_answered(forecaster *f, int64_t now) {
  unanswered *o = f->open;
  systole_forecast_answer answer;
  if (o == NULL || (o->gmem1_taken == o->gmem1_sent && o->loads_taken == o->loads_sent &&
                    o->writes_taken == o->writes_sent)) {
    return 0;
  }
  int came = o->bus->pass(o->bus->user, now < kNever ? now : INT64_MAX, &answer);
  if (came == SYSTOLE_FORECAST_ABANDON) o->abandoned = 1;
  if (came != 1) return 0;
  take_answer(f, &answer);
  return 1;
}

static int all_done(const forecaster *f) {
  if (!f->ended || f->working || f->activating || f->asking_weights ||
      f->cut_pieces != f->asked_pieces) {
    return 0;
  }
  if (job_of(&f->load) != NULL || job_of(&f->store) != NULL) return 0;
  for (int unit = 0; unit < SYSTOLE_UNITS; unit++) {
    if (f->queues[unit].count > 0) return 0;
  }
  return 1;
}

static void conclude(systole_forecast *out, forecaster *f) {
  int64_t cycles = f->idle_at + kEnd;
  if (f->first_row < 0) {
    account(f, cycles, &f->ledger.start);
  } else {
    account(f, cycles, &f->ledger.drain);
  }
  out->cycles = (uint64_t)cycles;
  out->ledger = f->ledger;
  out->gmem0_read_bytes = (uint64_t)(f->gmem0_read.beats * f->axi);
  out->gmem0_write_bytes = (uint64_t)(f->gmem0_write.beats * f->axi);
  out->gmem1_read_bytes = (uint64_t)(f->gmem1_read.beats * f->axi);
  out->instructions = f->count - 1;
  out->events = f->events;
}

/* Follows the events; *skip, when not NULL, passes over what repeats. */
static void follow(forecaster *f, systole_skip *skip) {
  int64_t before = -1, stands = 0;
  for (;;) {
    int64_t now = kNever;
    int process = kProcesses;
    for (int p = 0; p < kProcesses; p++) {
      int64_t at = next_event(f, p);
      if (at < now) {
        now = at;
        process = p;
      }
    }
    if (f->open != NULL) {
      if (!f->open->abandoned && is_answered(f, now)) continue;
      if (f->open->abandoned) break;
      if (now < kNever) f->open->now = max64(f->open->now, now);
    }
    if (process == kProcesses) break;
    stands = now == before ? stands + 1 : 0;
    if (stands > kMostAtOnce) break;
    before = now;
    port_forget(&f->port_b, now - kPortBack);
    if (skip != NULL && process == kArray && !f->working &&
        systole_skip_try(skip, f, now)) {
      continue;
    }
    do_event(f, process, now);
    f->events++;
  }
}

/* `open` and `skip` may be NULL; one of them is. */
static systole_status forecast(systole_forecast *out,
                               const systole_instruction *instructions, uint32_t count,
                               const systole_geometry *geometry,
                               const systole_memory_timing *memory, unanswered *open,
                               systole_skip *skip) {
  memset(out, 0, sizeof *out);
  void *state;
  systole_status status =
      systole_allocate_zeroed(&state, 1, sizeof(forecaster), "a forecast");
  if (status != SYSTOLE_OK) return status;
  forecaster *f = state;
  f->instructions = instructions;
  f->count = count;
  f->geometry = geometry;
  f->dim = geometry->dim;
  f->axi = geometry->axi_bytes;
  f->gmem0_read =
      (channel){memory->latency, memory->rate_beats, memory->rate_cycles, 0, 0, 0, 0};
  f->gmem0_write = f->gmem0_read;
  const systole_memory_timing gmem1 = systole_memory_timing_gmem1(memory);
  f->gmem1_read =
      (channel){gmem1.latency, gmem1.rate_beats, gmem1.rate_cycles, 0, 0, 0, 0};
  f->ask_at = kFetchStart + kRequestBurst;
  f->first_row = -1;
  f->open = open;
  follow(f, skip);
  if (open != NULL && open->abandoned) {
    f->idle_at = open->now - kEnd;
    conclude(out, f);
    status = systole_fail(SYSTOLE_ERR_DEVICE, "the run was abandoned");
  } else if (all_done(f)) {
    conclude(out, f);
  } else {
    status = systole_fail(SYSTOLE_ERR_ARGUMENT,
                          "the stream of %u instructions does not run to its end", count);
  }
  systole_release(state);
  return status;
}

systole_status systole_forecast_make(systole_forecast *out,
                                     const systole_instruction *instructions,
                                     uint32_t count, const systole_geometry *geometry,
                                     const systole_memory_timing *memory) {
  systole_skip *skip = NULL;
  systole_status status = systole_skip_begin(&skip, instructions, count, geometry);
  if (status != SYSTOLE_OK) return status;
  status = forecast(out, instructions, count, geometry, memory, NULL, skip);
  systole_skip_end(skip);
  return status;
}

systole_status systole_forecast_every_event(systole_forecast *out,
                                            const systole_instruction *instructions,
                                            uint32_t count,
                                            const systole_geometry *geometry,
                                            const systole_memory_timing *memory) {
  return forecast(out, instructions, count, geometry, memory, NULL, NULL);
}

systole_status systole_forecast_on_bus(systole_forecast *out,
                                       const systole_instruction *instructions,
                                       uint32_t count, const systole_geometry *geometry,
                                       const systole_memory_timing *memory,
                                       const systole_forecast_bus *bus) {
  void *open;
  memset(out, 0, sizeof *out);
  systole_status status =
      systole_allocate_zeroed(&open, 1, sizeof(unanswered), "a forecast");
  if (status != SYSTOLE_OK) return status;
  ((unanswered *)open)->bus = bus;
  status = forecast(out, instructions, count, geometry, memory, open, NULL);
  systole_release(open);
  return status;
}

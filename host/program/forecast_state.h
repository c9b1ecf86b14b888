/* The state of a forecast in mid-run: the registers of the units' control, as far as they
 * decide about time. Private to forecast*.c.
 *
 * Every field is a time (an absolute cycle, or kNever), a count since the start, an
 * index, or a value that stays as it is while time passes; forecast_skip.c has to know
 * which, and lists every one: a field that is added here is added there. "T" in a
 * comment: a time. "N": a count since the start. "V": a value. Rings are indexed by the
 * count beside them.
 *
 * A register is seen in a cycle as it stands before that cycle's clock edge, as in the
 * RTL: what is done in cycle t shows in t + 1. */
#ifndef SYSTOLE_PROGRAM_FORECAST_STATE_H
#define SYSTOLE_PROGRAM_FORECAST_STATE_H

#include <stdint.h>

#include "program/forecast.h"

#define kNever (INT64_MAX / 4)

enum {
  kFetchAhead = 8,    /* instructions asked for and not dispatched */
  kFetchPiece = 4,    /* instructions of a request */
  kFetchBursts = 4,   /* in flight */
  kUnitJobs = 2,      /* LOADs and STOREs accepted and not finished */
  kWeightBursts = 16, /* in flight */
  kWeightPieces = 8,  /* requests of the weight unit under way */
  kLoadBursts = 64,   /* bursts in flight */
  kStoreBursts = 16,  /* likewise */
  kStoreAnswers = 13, /* STOREs whose responses are awaited */
  kReads = 8,         /* at least kStoreAhead; a power of two */
  kStoreAhead = 4,    /* rows that the store unit reads ahead */
  kMatmulPending = 4, /* MATMULs whose last rows are landing */
  kSlots = 64,        /* output rows of the activation unit under way, at most */
  kRing = 128,        /* at least every number above; a power of two */
  kTileRing = 4096    /* tiles that are remembered; beyond any weight FIFO */
};

/* One direction of a memory port. */
typedef struct channel {
  int64_t latency, unit, step; /* V; a beat is due every step / unit cycles */
  int64_t due;                 /* T, in 1 / unit cycles, as in the law */
  int64_t free;                /* T; cycle after the last beat */
  int64_t beats;               /* N */
} channel;

/* Address side of an AXI master, and the unit's asking in front of it. */
typedef struct asker {
  int64_t at;                    /* T; cycles before it are done */
  int64_t now_from, now_beats;   /* V; request being cut into bursts, 0 beats: none */
  int64_t next_from, next_beats; /* V; the one behind it */
  int on_channel;                /* V; a burst waits for the arbiter (gmem1) */
  int64_t channel_from, channel_beats; /* V; that burst */
  unsigned issued;                     /* N; bursts that went to the channel */
  unsigned accepted;                   /* N; ... and that memory has */
  unsigned retired;                    /* N; ... and whose end is known */
  int64_t address_at[kRing];           /* T; by burst: cycle of the address at memory */
  int64_t beats[kRing];                /* V; by burst */
  int64_t retired_at[kRing];           /* T; by burst: end of the last beat (response) */
} asker;

/* Queue of a unit, its head and how often it has waited. */
typedef struct queue {
  uint32_t at[SYSTOLE_QUEUE_DEPTH];     /* N; instruction numbers */
  int64_t head_at[SYSTOLE_QUEUE_DEPTH]; /* T; the entry can be at the head from then on */
  int head, count;                      /* index, V */
  int64_t freed; /* T; a full queue takes the next instruction in this cycle */
  int64_t free;  /* T; the unit can accept from this cycle on */
} queue;

/* Tokens of an ordered pair of units that are given and not taken, by time. A stream that
 * systole_prove accepts never has more than the counter holds. */
typedef struct tokens {
  int64_t at[1 << SYSTOLE_TOKEN_BITS]; /* T; usable from then on */
  unsigned given, taken;               /* N */
} tokens;

typedef struct copy { /* V; a LOAD or STORE */
  int64_t rows, lines, blocks, before, after;
  int64_t offset, line_stride, block_stride;
  int64_t row_bytes;
  int raw;
  unsigned give;
} copy;

/* Jobs of LOAD and STORE: what the unit's asking side hands to its moving side. */
typedef struct jobs {
  copy at[kUnitJobs];          /* V; by job */
  int64_t start_at[kUnitJobs]; /* T; by job: rows may move from then on */
  unsigned accepted, finished; /* N */
  int64_t slot_at;             /* T; the last one that finished made room then */
  int64_t idle_from;           /* T; ... and the next one may start then */
  int asking;                  /* V; the last accepted job still has lines to ask for */
  int64_t block, line;         /* V; of the next request */
  asker ask;
} jobs;

typedef struct loader { /* beats into rows into the buffer */
  jobs jobs;
  int64_t at;               /* T; cycles before it are done */
  unsigned arriving;        /* N; burst whose beats come next from memory ... */
  int64_t arrived;          /* V; ... and how many of them have come */
  int64_t slice;            /* V; beats in the register slice, 0 ... 2 */
  unsigned taking;          /* N; burst whose beats are taken next ... */
  int64_t taken;            /* V; ... and how many of them have been */
  int64_t parts;            /* V; beats of a row that are there; row of a beat */
  int running;              /* V; a job is at work */
  int64_t block, line, row; /* V; of the next row, fills included */
} loader;

typedef struct storer { /* rows into beats to memory */
  jobs jobs;
  int running;                   /* V; a job is at work */
  int64_t reads_left;            /* V; rows of the buffer still to be read */
  int64_t read_at[kReads];       /* T; by read: granted */
  unsigned reads, reads_used;    /* N */
  int64_t left_line, left_lines; /* V; rows of the line, lines after it, to be taken */
  int row_valid, half;           /* V; a row waits, or half a beat */
  int64_t part, last_part;       /* V; of the row */
  int row_end, beat_end;         /* V; row, beat is the last of its instruction */
  unsigned row_give, beat_give;  /* V */
  int beat_valid;                /* V; a beat waits for the port's slice */
  unsigned sending;              /* N; burst whose beats go into the slice ... */
  int64_t sent;                  /* V; ... and how many have */
  int64_t slice;                 /* V; beats in the slice, 0 ... 2 */
  unsigned leaving;              /* N; burst whose beats memory takes ... */
  int64_t left;                  /* V; ... and how many it has */
  int ends[kRing];               /* V; by burst: the last one of an instruction */
  unsigned gives[kRing];         /* V; ... and its tokens */
  unsigned pushed;               /* N; instructions sent */
  unsigned answered, freed;      /* N; ... whose answer is known, whose place is free */
  int64_t answered_at[kRing];    /* T; by instruction: its place is free after it */
} storer;

typedef struct place { /* V; an output row of the activation unit, before its elements */
  int valid, head, tail; /* of its instruction */
  int empty;             /* its window lies in padding */
  int raw, sum, add, half;
  unsigned give;
  int64_t line, lines; /* pixels of a line of the window, lines left */
} place;

typedef struct activator {
  /* positions: the instruction at work */
  place row;           /* V; what its output rows have in common; valid, head */
  int64_t x, y, count; /* V; output rows left in the line, lines left */
  int64_t ready;       /* V; a pool's products, 3: there */
  int64_t left, right, top, bottom;                           /* V; of the window */
  int64_t width, pad, window_w, window_h, stride_w, stride_h; /* V */
  /* elements: the output row that is worked on, and the one behind it */
  place now, next;   /* V */
  int element_first; /* V; of its row */
  int64_t element;   /* V; pixels left in the line */
  /* output rows */
  unsigned begun, left_slots, gone; /* N; last element started; out of the slots; taken */
  int64_t filled_at[kSlots];        /* T; by row: may leave the slots from then on */
  int slot_raw[kSlots], slot_tail[kSlots]; /* V; by row */
  unsigned slot_give[kSlots];              /* V; by row */
  int offered;                             /* V; 0 nothing, 1 int8, 2 raw */
  int out_tail;                            /* V */
  unsigned out_give;                       /* V */
  int64_t slots;                           /* V; output rows under way, at most */
  int64_t late;      /* V; instructions whose tokens wait until rows are taken */
  int64_t int8_jobs; /* V; instructions under way that use port B */
} activator;

typedef struct weight_piece { /* a request of the weight unit */
  int64_t beats, rows;        /* V; rows 0: column parameters */
  int64_t arrived;            /* V; beats of it whose time is known */
  int64_t end;                /* T; last beat */
  int last;                   /* V; of its instruction */
  unsigned give;              /* V */
} weight_piece;

/* Where memory answers for itself (systole_forecast_on_bus). Nothing is skipped then. */
typedef struct unanswered {
  const systole_forecast_bus *bus;
  int abandoned;
  int64_t now;
  int owners[kRing];       /* bursts of gmem1 in order: 1 for the weight unit's */
  unsigned sent, answered; /* of them */
  int64_t store_from[kRing], store_bytes[kRing]; /* of STORE's bursts, by number */
} unanswered;

typedef struct forecaster {
  const systole_instruction *instructions;
  uint32_t count;
  const systole_geometry *geometry;
  int64_t dim, axi; /* V */
  uint64_t events;  /* that were followed: never skipped */

  channel gmem0_read, gmem0_write, gmem1_read;
  queue queues[SYSTOLE_UNITS];
  tokens tokens[SYSTOLE_UNITS][SYSTOLE_UNITS]; /* [from][to] */
  int64_t idle_at; /* T; when everything that is known to happen will be done */

  /* fetch and dispatch */
  asker fetch;
  uint32_t asked, here, popped;             /* N; instructions */
  int64_t popped_at[kRing], here_at[kRing]; /* T; by instruction */
  int64_t here_beats; /* V; beats of the next instruction that have come */
  int holds;          /* V; an instruction is at the dispatcher */
  int64_t hold_at;    /* T; it may leave from then on */
  int64_t pushed_at;  /* T; the one before left */
  int ended;          /* V; END was dispatched */

  /* weights */
  asker weights;
  int64_t gmem1_at; /* T; cycles of fetch, weights and arbiter before it are done */
  int asking_weights, params;                          /* V */
  unsigned weights_give;                               /* V */
  int64_t weights_from, rows_left;                     /* V */
  int64_t rows_asked, rows_here;                       /* N; rows over the whole run */
  int64_t tile_here[kTileRing], tile_shift[kTileRing]; /* T; by tile */
  int64_t tiles_here, tiles_shifted, tiles_used;       /* N */
  int64_t used_at;                                     /* T */
  weight_piece pieces[kRing];
  unsigned asked_pieces, here_pieces; /* N; requested; whose end is known */
  int weights_were_last;              /* V; at the arbiter */
  int64_t taken_at[2]; /* T; last beat that was taken behind the slice of gmem1, and the
                          one before it */

  /* array */
  int working;                          /* V */
  int64_t rows, steps;                  /* V; rows of a step, steps left */
  int64_t issue_from, again_at;         /* T; next row; cycle lost to the sum before */
  int64_t last_issue;                   /* T; last row of all steps */
  uint32_t matmul_at;                   /* N; number of the last MATMUL accepted */
  unsigned matmul_give;                 /* V */
  int half;                             /* V */
  int64_t flight_from[2], flight_to[2]; /* T; by half: rows are on their way ... */
  int64_t flight_before[2];             /* T; ... and until when others were */
  int64_t pending[kMatmulPending];      /* T; by MATMUL: done */
  unsigned matmuls;                     /* N */
  int64_t first_row;                    /* T; of the run; -1: none yet */
  systole_ledger ledger;                /* N */
  int64_t accounted;                    /* T; cycles up to here are in the ledger */

  /* what stands at gmem0 */
  loader load;
  storer store;
  activator activate;
  int64_t out_at;     /* T; cycles of activate and store before it are done */
  int64_t out_next;   /* T; next one in which they may do something */
  int64_t load_next;  /* T; the same of load */
  int64_t port_taken; /* T; last cycle in which port B was not load's */

  unanswered *open; /* NULL: the law's latency answers every burst at once */
} forecaster;

/* ---- forecast.c ---- */

static inline int64_t max64(int64_t a, int64_t b) { return a > b ? a : b; }
static inline int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }

/* Tokens of the mask, given by an instruction that is done in cycle `done`. */
void forecast_give(forecaster *f, int unit, unsigned mask, int64_t done);

/* The instruction at a unit's head, or NULL. */
const systole_instruction *forecast_head(const forecaster *f, int unit);

/* When a unit can accept its head; kNever while that is not known. */
int64_t forecast_accept_at(const forecaster *f, int unit);

/* The cycle in which a burst is answered: by the law `latency` after burst `cycle`, else
 * by the bus; kNever while the answer is missing. */
int64_t forecast_answer(forecaster *f, int unit, int64_t cycle, int64_t latency,
                        int64_t offset, int64_t bytes);

/* From when on the next burst may go to the channel, if there is one. */
int64_t forecast_issue_at(const asker *a, unsigned limit);

/* One cycle of systole_axi_address. `beats` from `from` are requested (0: nothing).
 * Returns 1 when a burst has gone to the channel. */
int forecast_issue(const forecaster *f, asker *a, int64_t now, unsigned limit,
                   int64_t from, int64_t beats, int channel_free);

/* Takes the head in cycle `now`. */
const systole_instruction *forecast_accept(forecaster *f, int unit, int64_t now);

/* Rows are on their way to this half, as the activation unit sees it in cycle t. */
int forecast_in_flight(const forecaster *f, int half, int64_t t);

/* ---- forecast_move.c: load, activate and store, cycle by cycle where they move ---- */

/* The oldest read of LOAD, write of STORE, that was not answered is. */
void forecast_load_answered(forecaster *f, int64_t from);
void forecast_store_answered(forecaster *f, int64_t response);

/* LOAD or STORE accepts, asks, or sends an address. */
int64_t forecast_next_ask(const forecaster *f, const jobs *j, int unit, unsigned limit);
void forecast_do_ask(forecaster *f, jobs *j, int unit, unsigned limit, int64_t now);

/* Next cycle in which load, activate or store may do something. */
int64_t forecast_next_move(const forecaster *f);

/* Their cycles from `now` to at most `horizon`, in which other units act; it ends early
 * when other units may have something to do. */
void forecast_do_move(forecaster *f, int64_t now, int64_t horizon);

/* Nothing of them is under way. */
int forecast_moved_all(const forecaster *f);

#endif

/* One random stream on a card and on the interpreter of tests/support: do they agree?
 * Device memory must be the same in every bit, and so must what does not depend on time;
 * the ledger must sum to the cycles; and a stream that is right ends without an error. */
#ifndef SYSTOLE_TESTS_COSIM_TRIAL_H
#define SYSTOLE_TESTS_COSIM_TRIAL_H

#include <stdint.h>

#include "card/rtl/rtl.h"
#include "stream.h"

/* Where a stream runs. */
typedef struct trial_bench {
  const systole_card_ops *ops; /* systole_card_rtl, or a test's own around it */
  const char *what;            /* after the colon of a device name: "16:readable" */
  const char *memory;          /* preset */
  uint64_t stall_seed;         /* 0: no random stalls */
  systole_device *interpreter; /* of the same geometry; trial_interpreter */
  /* The model under a card of `ops`. */
  systole_rtl *(*model)(systole_card *card, const systole_rtl_api **api);
} trial_bench;

typedef enum trial_kind {
  TRIAL_GOOD,
  TRIAL_UNFIT,  /* no right stream: the proof or the interpreter refuses it */
  TRIAL_ERROR,  /* the card ends it with an error */
  TRIAL_HANG,   /* the card does not end it */
  TRIAL_MEMORY, /* device memory differs */
  TRIAL_COUNT,  /* a counter differs that does not depend on time */
  TRIAL_LEDGER  /* the ledger's parts are not the cycles */
} trial_kind;

typedef struct trial_verdict {
  trial_kind kind;
  char story[768];     /* "" when good */
  systole_stats stats; /* of the card, when it ended the stream well */
} trial_verdict;

/* A bench on rtl:`what`; aborts the program when there is no such model. Close with
 * trial_close. */
trial_bench trial_open(const char *what);
void trial_close(trial_bench *bench);

/* The stream of a seed and the memory on which it runs: each preset, with and without
 * stalls. */
void trial_draw_memory(trial_bench *bench, uint64_t seed);

/* An interpreter for `g`; NULL with systole_last_error on failure. */
systole_device *trial_interpreter(const systole_geometry *g);

/* A device of the bench, with the protocol checkers on. `trace_path` NULL: no waveform,
 * else one of `cycles` cycles from `first` on. */
systole_status trial_device(systole_device **out, const trial_bench *bench,
                            const char *trace_path, uint64_t first, uint64_t cycles);

/* Runs `s` on `device`; NULL: on a fresh one, so that what came before cannot matter. */
void trial_run(trial_verdict *out, const stream *s, const trial_bench *bench,
               systole_device *device);

/* Activations' memory after `s` on the interpreter. */
systole_status trial_expect(const stream *s, const trial_bench *bench, uint8_t *expected);

/* Records the cycles around the first difference that trial_run finds, or around the last
 * thing that moved, as a waveform. Returns 0 and says in `story` which cycles these are,
 * or -1 and why there is none. */
int trial_record(const stream *s, const trial_bench *bench, const char *path, char *story,
                 size_t story_bytes);

/* "an error", "a wrong result", ... */
const char *trial_kind_name(trial_kind kind);

#endif

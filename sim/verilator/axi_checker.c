#include "axi_checker.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Remembers the first broken rule as "gmem0: RULE in cycle 12: details". */
static void __attribute__((format(printf, 6, 7)))
blame(char *story, size_t size, int *broken, const char *where, uint64_t cycle,
      const char *format, ...) {
  va_list list;
  if (*broken) return;
  *broken = 1;
  const int used = snprintf(
      story, size, "AXI protocol error on %s in cycle %" PRIu64 ": ", where, cycle);
  if (used < 0 || (size_t)used >= size) return;
  va_start(list, format);
  (void)vsnprintf(story + used, size - (size_t)used, format, list);
  va_end(list);
}

#define BLAME(c, cycle, ...) \
  blame((c)->story, sizeof(c)->story, &(c)->broken, (c)->name, cycle, __VA_ARGS__)

void systole_axi_checker_init(systole_axi_checker *c, const char *name, uint32_t bytes) {
  memset(c, 0, sizeof *c);
  (void)snprintf(c->name, sizeof c->name, "%s", name);
  c->bytes = bytes;
}

void systole_axi_checker_reset(systole_axi_checker *c) {
  const uint32_t bytes = c->bytes;
  char name[sizeof c->name];
  memcpy(name, c->name, sizeof name);
  systole_axi_checker_init(c, name, bytes);
}

/* Rules 1 and 2 for one channel: was valid without ready in the cycle before; `same`
 * compares the payload. */
static void check_held(systole_axi_checker *c, uint64_t cycle, const char *channel,
                       int waiting, int valid, int same) {
  if (!waiting) return;
  if (!valid) {
    BLAME(c, cycle, "ValidHeldUntilReady: %svalid fell before %sready came", channel,
          channel);
  } else if (!same) {
    BLAME(c, cycle, "PayloadStableUntilReady: %s changed before %sready came", channel,
          channel);
  }
}

static void check_all_held(systole_axi_checker *c, uint64_t cycle,
                           const systole_axi_wires *w) {
  const systole_axi_wires *b = &c->before;
  check_held(c, cycle, "ar", b->ar_valid && !b->ar_ready, w->ar_valid,
             w->ar_address == b->ar_address && w->ar_length == b->ar_length &&
                 w->ar_size == b->ar_size && w->ar_burst == b->ar_burst);
  check_held(c, cycle, "aw", b->aw_valid && !b->aw_ready, w->aw_valid,
             w->aw_address == b->aw_address && w->aw_length == b->aw_length &&
                 w->aw_size == b->aw_size && w->aw_burst == b->aw_burst);
  check_held(c, cycle, "b", b->b_valid && !b->b_ready, w->b_valid,
             w->b_response == b->b_response);
  if (b->w_valid && !b->w_ready) {
    check_held(c, cycle, "w", 1, w->w_valid,
               w->w_strobe == b->w_strobe && w->w_last == b->w_last &&
                   memcmp(w->w_data, c->w_before, c->bytes) == 0);
  }
  if (b->r_valid && !b->r_ready) {
    check_held(c, cycle, "r", 1, w->r_valid,
               w->r_last == b->r_last && w->r_response == b->r_response &&
                   memcmp(w->r_data, c->r_before, c->bytes) == 0);
  }
}

/* Rules 3 and 4. */
static void check_address(systole_axi_checker *c, uint64_t cycle, const char *channel,
                          uint64_t address, unsigned length, unsigned size,
                          unsigned burst) {
  const uint64_t bytes = (uint64_t)(length + 1) * c->bytes;
  if (burst != 1 || UINT32_C(1) << (size & 7) != c->bytes || address % c->bytes != 0) {
    BLAME(c, cycle,
          "IncrementingFullBeats: %s burst type %u, size %u, address 0x%" PRIx64
          " on a port of %" PRIu32 " bytes",
          channel, burst, size, address, c->bytes);
  } else if (address / 4096 != (address + bytes - 1) / 4096) {
    BLAME(c, cycle, "BurstWithin4KiB: %s burst of %" PRIu64 " bytes at 0x%" PRIx64,
          channel, bytes, address);
  }
}

static void check_response(systole_axi_checker *c, uint64_t cycle, const char *channel,
                           unsigned response) {
  if (response == 1 || response > 3) {
    BLAME(c, cycle, "KnownResponse: %sresp is %u", channel, response);
  }
}

/* Rules 5, 7 and 8 for reads, then the transfers of this cycle. Data is judged by the
 * bursts accepted in earlier cycles: a memory that answers in the cycle of the address is
 * wrong. */
static void check_read(systole_axi_checker *c, uint64_t cycle,
                       const systole_axi_wires *w) {
  const uint32_t depth = SYSTOLE_AXI_CHECKER_DEPTH;
  if (w->r_valid) {
    if (c->reads == 0) {
      BLAME(c, cycle, "AnswerBelongsToBurst: read data without an address");
      return;
    }
    const int last = c->read_beats == c->read_length[c->read_head];
    if (last != (w->r_last != 0)) {
      BLAME(c, cycle, "LastOnLastBeat: rlast is %u on beat %" PRIu32 " of %u", w->r_last,
            c->read_beats + 1, c->read_length[c->read_head] + 1u);
    }
    check_response(c, cycle, "r", w->r_response);
    if (w->r_ready) {
      c->read_beats++;
      if (last) {
        c->read_beats = 0;
        c->read_head = (c->read_head + 1) % depth;
        c->reads--;
      }
    }
  }
  if (w->ar_valid) {
    check_address(c, cycle, "ar", w->ar_address, w->ar_length, w->ar_size, w->ar_burst);
    if (w->ar_ready && c->reads < depth) {
      c->read_length[(c->read_head + c->reads) % depth] = w->ar_length;
      c->reads++;
    }
  }
}

/* The same for writes, and rule 6. */
static void check_write(systole_axi_checker *c, uint64_t cycle,
                        const systole_axi_wires *w) {
  const uint32_t depth = SYSTOLE_AXI_CHECKER_DEPTH;
  if (w->b_valid) {
    if (c->unanswered == 0) {
      BLAME(c, cycle, "AnswerBelongsToBurst: a write response without a finished burst");
      return;
    }
    check_response(c, cycle, "b", w->b_response);
    if (w->b_ready) c->unanswered--;
  }
  if (w->w_valid && w->w_ready) {
    if (c->writes == 0) {
      BLAME(c, cycle, "DataAfterAddress: write data beyond the accepted addresses");
      return;
    }
    const int last = c->write_beats == c->write_length[c->write_head];
    if (last != (w->w_last != 0)) {
      BLAME(c, cycle, "LastOnLastBeat: wlast is %u on beat %" PRIu32 " of %u", w->w_last,
            c->write_beats + 1, c->write_length[c->write_head] + 1u);
    }
    c->write_beats++;
    if (last) {
      c->write_beats = 0;
      c->write_head = (c->write_head + 1) % depth;
      c->writes--;
      c->unanswered++;
    }
  }
  if (w->aw_valid) {
    check_address(c, cycle, "aw", w->aw_address, w->aw_length, w->aw_size, w->aw_burst);
    if (w->aw_ready && c->writes < depth) {
      c->write_length[(c->write_head + c->writes) % depth] = w->aw_length;
      c->writes++;
    }
  }
}

int systole_axi_checker_cycle(systole_axi_checker *c, uint64_t cycle,
                              const systole_axi_wires *w) {
  if (c->broken) return 1;
  if (!w->reset_n) {
    const uint32_t low = c->reset_cycles + 1;
    if (low > SYSTOLE_AXI_RESET_GRACE &&
        (w->ar_valid || w->aw_valid || w->w_valid || w->r_valid || w->b_valid)) {
      BLAME(c, cycle, "QuietInReset: a valid is high while reset is low");
      return 1;
    }
    systole_axi_checker_reset(c);
    c->reset_cycles = low;
    return 0;
  }
  c->reset_cycles = 0;
  check_all_held(c, cycle, w);
  check_read(c, cycle, w);
  check_write(c, cycle, w);
  c->before = *w;
  c->before.r_data = c->before.w_data = NULL;
  if (w->r_valid && !w->r_ready) memcpy(c->r_before, w->r_data, c->bytes);
  if (w->w_valid && !w->w_ready) memcpy(c->w_before, w->w_data, c->bytes);
  return c->broken;
}

int systole_axi_checker_done(systole_axi_checker *c, uint64_t cycle) {
  if (c->reads || c->writes || c->unanswered || c->before.ar_valid ||
      c->before.aw_valid || c->before.w_valid) {
    BLAME(c, cycle,
          "DrainedWhenDone: %" PRIu32 " reads, %" PRIu32 " writes and %" PRIu32
          " write responses are under way",
          c->reads, c->writes, c->unanswered);
  }
  return c->broken;
}

/* ---- AXI4-Lite ------------------------------------------------------------------------
 */

void systole_axi_lite_checker_init(systole_axi_lite_checker *c, const char *name) {
  memset(c, 0, sizeof *c);
  (void)snprintf(c->name, sizeof c->name, "%s", name);
}

int systole_axi_lite_checker_cycle(systole_axi_lite_checker *c, uint64_t cycle,
                                   const systole_axi_lite_wires *w) {
  const systole_axi_lite_wires *b = &c->before;
  if (c->broken) return 1;
  if (!w->reset_n) {
    if (++c->reset_cycles > SYSTOLE_AXI_RESET_GRACE && (w->r_valid || w->b_valid)) {
      BLAME(c, cycle, "QuietInReset: a valid is high while reset is low");
    }
    c->before = (systole_axi_lite_wires){0};
    c->reads = c->addresses = c->data = 0;
    return c->broken;
  }
  c->reset_cycles = 0;
  if (b->r_valid && !b->r_ready) {
    if (!w->r_valid) {
      BLAME(c, cycle, "ValidHeldUntilReady: rvalid fell before rready came");
    } else if (w->r_data != b->r_data || w->r_response != b->r_response) {
      BLAME(c, cycle, "PayloadStableUntilReady: r changed before rready came");
    }
  }
  if (b->b_valid && !b->b_ready) {
    if (!w->b_valid) {
      BLAME(c, cycle, "ValidHeldUntilReady: bvalid fell before bready came");
    } else if (w->b_response != b->b_response) {
      BLAME(c, cycle, "PayloadStableUntilReady: b changed before bready came");
    }
  }
  if (w->r_valid && c->reads == 0) {
    BLAME(c, cycle, "AnswerBelongsToBurst: read data without an address");
  }
  if (w->b_valid && (c->addresses == 0 || c->data == 0)) {
    BLAME(c, cycle, "AnswerBelongsToBurst: a write response without a finished write");
  }
  if ((w->r_valid && w->r_response == 1) || (w->b_valid && w->b_response == 1)) {
    BLAME(c, cycle, "KnownResponse: EXOKAY on a control port");
  }
  if (c->broken) return 1;
  if (w->r_valid && w->r_ready) c->reads--;
  if (w->b_valid && w->b_ready) {
    c->addresses--;
    c->data--;
  }
  if (w->ar_valid && w->ar_ready) c->reads++;
  if (w->aw_valid && w->aw_ready) c->addresses++;
  if (w->w_valid && w->w_ready) c->data++;
  c->before = *w;
  return c->broken;
}

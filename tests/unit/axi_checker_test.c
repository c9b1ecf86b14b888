/* Every rule of the protocol checkers is broken on purpose, and must be the one that is
 * named; traffic that keeps the rules is left in peace. */
#include "axi_checker.h"

#include <criterion/criterion.h>
#include <string.h>

enum { BYTES = 16 };

static uint8_t r_data[64], w_data[64];

typedef struct bench {
  systole_axi_checker checker;
  uint64_t cycle;
} bench;

static void make(bench *b) {
  systole_axi_checker_init(&b->checker, "gmem0", BYTES);
  b->cycle = 100;
}

/* An idle port out of reset. */
static systole_axi_wires idle(void) {
  systole_axi_wires w = {0};
  w.reset_n = 1;
  w.ar_size = w.aw_size = 4;
  w.ar_burst = w.aw_burst = 1;
  w.r_data = r_data;
  w.w_data = w_data;
  return w;
}

static int clock(bench *b, systole_axi_wires w) {
  return systole_axi_checker_cycle(&b->checker, b->cycle++, &w);
}

#define EXPECT_BROKEN(b, rule)                                                      \
  do {                                                                              \
    cr_expect((b)->checker.broken, "%s was not noticed", rule);                     \
    cr_expect_not_null(strstr((b)->checker.story, rule), "%s instead of %s",        \
                       (b)->checker.story, rule);                                   \
    cr_expect_not_null(strstr((b)->checker.story, "gmem0"), "the port is missing"); \
  } while (0)
#define EXPECT_WHOLE(b) cr_expect_not((b)->checker.broken, "%s", (b)->checker.story)

static void address_read(bench *b, unsigned length) {
  systole_axi_wires w = idle();
  w.ar_valid = w.ar_ready = 1;
  w.ar_address = 4096;
  w.ar_length = (uint8_t)length;
  clock(b, w);
}

static void address_write(bench *b, unsigned length) {
  systole_axi_wires w = idle();
  w.aw_valid = w.aw_ready = 1;
  w.aw_address = 4096;
  w.aw_length = (uint8_t)length;
  clock(b, w);
}

static void beat_read(bench *b, int last) {
  systole_axi_wires w = idle();
  w.r_valid = w.r_ready = 1;
  w.r_last = (uint8_t)last;
  clock(b, w);
}

static void beat_write(bench *b, int last) {
  systole_axi_wires w = idle();
  w.w_valid = w.w_ready = 1;
  w.w_last = (uint8_t)last;
  w.w_strobe = 0xFFFF;
  clock(b, w);
}

static void answer_write(bench *b, unsigned response) {
  systole_axi_wires w = idle();
  w.b_valid = w.b_ready = 1;
  w.b_response = (uint8_t)response;
  clock(b, w);
}

Test(axi_checker, correct_traffic_passes) {
  bench b;
  make(&b);
  address_read(&b, 255);
  address_read(&b, 0);
  for (int i = 0; i < 255; i++) beat_read(&b, 0);
  beat_read(&b, 1);
  beat_read(&b, 1);
  address_write(&b, 1);
  address_write(&b, 0);
  beat_write(&b, 0);
  beat_write(&b, 1);
  beat_write(&b, 1);
  answer_write(&b, 0);
  answer_write(&b, 2);
  cr_expect_eq(systole_axi_checker_done(&b.checker, b.cycle), 0);
  EXPECT_WHOLE(&b);
}

/* Waiting with everything unchanged is fine, on every channel. */
Test(axi_checker, patience_passes) {
  bench b;
  make(&b);
  address_read(&b, 0);
  address_write(&b, 0);
  systole_axi_wires w = idle();
  w.ar_valid = w.aw_valid = w.w_valid = w.r_valid = 1;
  w.ar_address = w.aw_address = 8192;
  w.w_last = w.r_last = 1;
  for (int i = 0; i < 10; i++) clock(&b, w);
  EXPECT_WHOLE(&b);
}

/* Channel by channel: offers something that is not taken, then withdraws or changes it.
 */
Test(axi_checker, valid_is_held) {
  for (int channel = 0; channel < 5; channel++) {
    bench b;
    make(&b);
    address_read(&b, 0);
    address_write(&b, 0);
    if (channel == 4) beat_write(&b, 1);
    systole_axi_wires w = idle();
    w.ar_valid = channel == 0;
    w.aw_valid = channel == 1;
    w.w_valid = channel == 2;
    w.r_valid = w.r_last = channel == 3;
    w.b_valid = channel == 4;
    clock(&b, w);
    EXPECT_WHOLE(&b);
    clock(&b, idle());
    EXPECT_BROKEN(&b, "ValidHeldUntilReady");
  }
}

Test(axi_checker, payload_is_stable) {
  for (int field = 0; field < 14; field++) {
    bench b;
    make(&b);
    memset(r_data, 0, sizeof r_data);
    memset(w_data, 0, sizeof w_data);
    address_read(&b, 0);
    address_write(&b, 0);
    if (field == 13) beat_write(&b, 1);
    systole_axi_wires w = idle();
    w.ar_valid = field < 4;
    w.aw_valid = field >= 4 && field < 8;
    w.w_valid = field >= 8 && field < 11;
    w.r_valid = w.r_last = field >= 11 && field < 13;
    w.b_valid = field == 13;
    clock(&b, w);
    EXPECT_WHOLE(&b);
    switch (field) {
      case 0:
        w.ar_address ^= 4096;
        break;
      case 1:
        w.ar_length ^= 1;
        break;
      case 2:
        w.ar_size ^= 1;
        break;
      case 3:
        w.ar_burst ^= 1;
        break;
      case 4:
        w.aw_address ^= 4096;
        break;
      case 5:
        w.aw_length ^= 1;
        break;
      case 6:
        w.aw_size ^= 1;
        break;
      case 7:
        w.aw_burst ^= 1;
        break;
      case 8:
        w_data[BYTES - 1] = 1;
        break;
      case 9:
        w.w_strobe ^= 1;
        break;
      case 10:
        w.w_last ^= 1;
        break;
      case 11:
        r_data[0] = 1;
        break;
      case 12:
        w.r_response = 2;
        break;
      default:
        w.b_response = 2;
        break;
    }
    clock(&b, w);
    EXPECT_BROKEN(&b, "PayloadStableUntilReady");
  }
}

Test(axi_checker, bursts_are_incrementing_full_and_aligned) {
  for (int fault = 0; fault < 6; fault++) {
    bench b;
    make(&b);
    systole_axi_wires w = idle();
    w.ar_valid = fault < 3;
    w.aw_valid = fault >= 3;
    switch (fault % 3) {
      case 0:
        w.ar_burst = w.aw_burst = 0;
        break;
      case 1:
        w.ar_size = w.aw_size = 3;
        break;
      default:
        w.ar_address = w.aw_address = 8;
        break;
    }
    clock(&b, w);
    EXPECT_BROKEN(&b, "IncrementingFullBeats");
  }
}

Test(axi_checker, no_burst_crosses_4_kib) {
  for (int write = 0; write <= 1; write++) {
    for (unsigned length = 0; length < 256; length++) {
      bench b;
      make(&b);
      systole_axi_wires w = idle();
      w.ar_valid = !write;
      w.aw_valid = (uint8_t)write;
      w.ar_address = w.aw_address = 4096 + 4096 - 128 * BYTES;
      w.ar_length = w.aw_length = (uint8_t)length;
      clock(&b, w);
      if (length < 128) {
        EXPECT_WHOLE(&b);
      } else {
        EXPECT_BROKEN(&b, "BurstWithin4KiB");
      }
    }
  }
}

Test(axi_checker, last_is_on_the_last_beat) {
  bench b;
  make(&b);
  address_read(&b, 1);
  beat_read(&b, 1);
  EXPECT_BROKEN(&b, "LastOnLastBeat");
  make(&b);
  address_read(&b, 0);
  beat_read(&b, 0);
  EXPECT_BROKEN(&b, "LastOnLastBeat");
  make(&b);
  address_write(&b, 3);
  beat_write(&b, 0);
  beat_write(&b, 0);
  beat_write(&b, 1);
  EXPECT_BROKEN(&b, "LastOnLastBeat");
  make(&b);
  address_write(&b, 0);
  beat_write(&b, 0);
  EXPECT_BROKEN(&b, "LastOnLastBeat");
}

Test(axi_checker, data_comes_after_its_address) {
  bench b;
  make(&b);
  beat_write(&b, 1);
  EXPECT_BROKEN(&b, "DataAfterAddress");
  make(&b);
  address_write(&b, 0);
  beat_write(&b, 1);
  beat_write(&b, 1);
  EXPECT_BROKEN(&b, "DataAfterAddress");
}

Test(axi_checker, nothing_is_answered_unasked) {
  bench b;
  make(&b);
  beat_read(&b, 1);
  EXPECT_BROKEN(&b, "AnswerBelongsToBurst");
  make(&b);
  answer_write(&b, 0);
  EXPECT_BROKEN(&b, "AnswerBelongsToBurst");
  make(&b);
  address_write(&b, 1);
  beat_write(&b, 0);
  answer_write(&b, 0);
  EXPECT_BROKEN(&b, "AnswerBelongsToBurst");
  make(&b);
  address_write(&b, 0);
  beat_write(&b, 1);
  answer_write(&b, 0);
  answer_write(&b, 0);
  EXPECT_BROKEN(&b, "AnswerBelongsToBurst");
}

Test(axi_checker, responses_are_known) {
  for (unsigned response = 0; response < 4; response++) {
    bench b;
    make(&b);
    address_read(&b, 0);
    systole_axi_wires w = idle();
    w.r_valid = w.r_ready = w.r_last = 1;
    w.r_response = (uint8_t)response;
    clock(&b, w);
    if (response == 1) {
      EXPECT_BROKEN(&b, "KnownResponse");
    } else {
      EXPECT_WHOLE(&b);
    }
    make(&b);
    address_write(&b, 0);
    beat_write(&b, 1);
    answer_write(&b, response);
    if (response == 1) {
      EXPECT_BROKEN(&b, "KnownResponse");
    } else {
      EXPECT_WHOLE(&b);
    }
  }
}

Test(axi_checker, reset_is_quiet) {
  for (int channel = 0; channel < 5; channel++) {
    bench b;
    make(&b);
    systole_axi_wires w = idle();
    w.reset_n = 0;
    w.ar_valid = channel == 0;
    w.aw_valid = channel == 1;
    w.w_valid = channel == 2;
    w.r_valid = channel == 3;
    w.b_valid = channel == 4;
    for (unsigned i = 0; i < SYSTOLE_AXI_RESET_GRACE; i++) clock(&b, w);
    EXPECT_WHOLE(&b);
    clock(&b, w);
    EXPECT_BROKEN(&b, "QuietInReset");
  }
}

Test(axi_checker, reset_forgets_what_was_under_way) {
  bench b;
  make(&b);
  address_read(&b, 7);
  address_write(&b, 7);
  systole_axi_wires w = idle();
  w.reset_n = 0;
  for (int i = 0; i < 16; i++) clock(&b, w);
  cr_expect_eq(systole_axi_checker_done(&b.checker, b.cycle), 0);
  EXPECT_WHOLE(&b);
}

Test(axi_checker, done_means_drained) {
  for (int what = 0; what < 4; what++) {
    bench b;
    make(&b);
    if (what == 0) address_read(&b, 0);
    if (what >= 1) address_write(&b, 0);
    if (what >= 2) beat_write(&b, 1);
    if (what == 3) {
      answer_write(&b, 0);
      systole_axi_wires w = idle();
      w.ar_valid = 1;
      clock(&b, w);
    }
    cr_expect_eq(systole_axi_checker_done(&b.checker, b.cycle), 1);
    EXPECT_BROKEN(&b, "DrainedWhenDone");
  }
}

Test(axi_checker, the_first_error_is_kept) {
  bench b;
  make(&b);
  beat_write(&b, 1);
  answer_write(&b, 1);
  beat_read(&b, 0);
  EXPECT_BROKEN(&b, "DataAfterAddress");
}

/* ---- AXI4-Lite
 * ---------------------------------------------------------------------------- */

static systole_axi_lite_wires lite_idle(void) {
  systole_axi_lite_wires w = {0};
  w.reset_n = 1;
  return w;
}

#define EXPECT_LITE(c, rule)                                                            \
  do {                                                                                  \
    cr_expect((c)->broken, "%s was not noticed", rule);                                 \
    cr_expect_not_null(strstr((c)->story, rule), "%s instead of %s", (c)->story, rule); \
  } while (0)

Test(axi_lite_checker, correct_traffic_passes) {
  systole_axi_lite_checker c;
  systole_axi_lite_checker_init(&c, "control");
  systole_axi_lite_wires w = lite_idle();
  w.ar_valid = w.ar_ready = w.aw_valid = w.aw_ready = 1;
  systole_axi_lite_checker_cycle(&c, 1, &w);
  w = lite_idle();
  w.w_valid = w.w_ready = w.r_valid = 1;
  systole_axi_lite_checker_cycle(&c, 2, &w);
  w = lite_idle();
  w.r_valid = w.r_ready = w.b_valid = w.b_ready = 1;
  w.b_response = 2;
  systole_axi_lite_checker_cycle(&c, 3, &w);
  cr_expect_not(c.broken, "%s", c.story);
}

Test(axi_lite_checker, each_rule_is_noticed) {
  for (int fault = 0; fault < 9; fault++) {
    static const char *const rules[] = {
        "AnswerBelongsToBurst",    "AnswerBelongsToBurst", "AnswerBelongsToBurst",
        "ValidHeldUntilReady",     "ValidHeldUntilReady",  "PayloadStableUntilReady",
        "PayloadStableUntilReady", "KnownResponse",        "KnownResponse"};
    systole_axi_lite_checker c;
    systole_axi_lite_checker_init(&c, "control");
    systole_axi_lite_wires w = lite_idle();
    if (fault > 2) {
      w.ar_valid = w.ar_ready = w.aw_valid = w.aw_ready = w.w_valid = w.w_ready = 1;
    } else if (fault == 2) {
      w.aw_valid = w.aw_ready = 1; /* an address without data */
    }
    systole_axi_lite_checker_cycle(&c, 1, &w);
    const int read = fault == 0 || fault == 3 || fault == 5 || fault == 7;
    w = lite_idle();
    w.r_valid = (uint8_t)read;
    w.b_valid = !read;
    if (fault >= 7) w.r_response = w.b_response = 1;
    systole_axi_lite_checker_cycle(&c, 2, &w);
    if (fault >= 3 && fault <= 6) cr_expect_not(c.broken, "%s", c.story);
    if (fault == 3 || fault == 4) w = lite_idle();
    if (fault == 5) w.r_data = 1;
    if (fault == 6) w.b_response = 2;
    systole_axi_lite_checker_cycle(&c, 3, &w);
    EXPECT_LITE(&c, rules[fault]);
  }
}

Test(axi_lite_checker, reset_is_quiet) {
  systole_axi_lite_checker c;
  systole_axi_lite_checker_init(&c, "control");
  systole_axi_lite_wires w = lite_idle();
  w.reset_n = 0;
  w.b_valid = 1;
  for (unsigned i = 0; i < SYSTOLE_AXI_RESET_GRACE; i++) {
    systole_axi_lite_checker_cycle(&c, i, &w);
  }
  cr_expect_not(c.broken);
  systole_axi_lite_checker_cycle(&c, 99, &w);
  EXPECT_LITE(&c, "QuietInReset");
}

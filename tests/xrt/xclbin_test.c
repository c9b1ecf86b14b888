/* .xclbin files: what the writer writes, the reader and XRT's own structures read; files
 * that are cut or spoiled are refused in words. */
#include "card/xrt/xclbin.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "card/systole_isa.h"
#include "card/systole_kernel.h"
#include "card/xrt/name.h"
#include "support/error.h"
#include "support/random.h"
#include "xclbin_write.h"
#ifdef XRT_HEADERS
#include <xclbin.h>
#endif

static systole_xclbin_plan plan_for(const char *card) {
  systole_xclbin_plan plan = {{16, 0, "ideal", 300.0}, 16, NULL, NULL};
  plan.card = systole_sim_card_find(card);
  cr_assert_not_null(plan.card);
  return plan;
}

typedef struct file {
  uint8_t *data;
  uint64_t bytes;
} file;

static file make(const systole_xclbin_plan *plan) {
  file f;
  cr_assert_eq(systole_xclbin_make(&f.data, &f.bytes, plan), SYSTOLE_OK, "%s",
               systole_last_error());
  return f;
}

static systole_xclbin *parse(const file *f) {
  systole_xclbin *x = NULL;
  cr_assert_eq(systole_xclbin_parse(&x, f->data, f->bytes, "it"), SYSTOLE_OK, "%s",
               systole_last_error());
  return x;
}

Test(xclbin, what_is_written_is_read) {
  systole_xclbin_plan plan = plan_for("u250");
  plan.image = (systole_xclbin_image){64, 1, "ddr4", 250.0};
  file f = make(&plan);
  systole_xclbin *x = parse(&f);
  cr_expect_str_eq(x->platform, "systole_simulated_u250");
  cr_expect_eq(x->simulated, 1);
  cr_expect_eq(x->image.dim, 64);
  cr_expect_eq(x->image.readable, 1);
  cr_expect_str_eq(x->image.memory, "ddr4");
  cr_expect_eq(x->clock_mhz, 250.0);
  cr_expect_eq(x->image.clock_mhz, 250.0);
  cr_expect_eq(x->unit_count, 2);
  cr_expect_str_eq(x->units[0].name, "systole_1");
  cr_expect_str_eq(x->units[1].kernel, SYSTOLE_KERNEL_NAME);
  cr_expect_neq(x->units[0].base, x->units[1].base);
  cr_expect_eq(systole_xclbin_find_unit(x, "systole_2"), 1);
  cr_expect_eq(systole_xclbin_find_unit(x, "systole_3"), -1);
  cr_expect_eq(systole_xclbin_check_kernel(x, "it"), SYSTOLE_OK, "%s",
               systole_last_error());
  cr_expect_eq(x->bank_count, 4);
  for (int unit = 0; unit < 2; unit++) {
    const int a = systole_xclbin_bank_of(x, unit, SYSTOLE_ARG_ACTIVATIONS);
    const int w = systole_xclbin_bank_of(x, unit, SYSTOLE_ARG_WEIGHTS);
    cr_expect_eq(a, 2 * unit);
    cr_expect_eq(w, 2 * unit + 1);
    cr_expect_eq(systole_xclbin_bank_of(x, unit, SYSTOLE_ARG_PROGRAM), w);
    cr_expect_eq(systole_xclbin_bank_of(x, unit, SYSTOLE_ARG_INSTRUCTIONS), -1);
    cr_expect_eq(x->banks[a].bytes, UINT64_C(16) << 30);
  }
  systole_xclbin_free(x);
  free(f.data);
}

Test(xclbin, equal_plans_give_equal_files_and_others_another_identity) {
  systole_xclbin_plan plan = plan_for("u200");
  file a = make(&plan), b = make(&plan);
  plan.image.dim = 32;
  file c = make(&plan);
  cr_expect_eq(a.bytes, b.bytes);
  cr_expect_arr_eq(a.data, b.data, a.bytes);
  cr_expect_neq(
      memcmp(a.data + SYSTOLE_XCLBIN_UUID_AT, c.data + SYSTOLE_XCLBIN_UUID_AT, 16), 0);
  free(a.data);
  free(b.data);
  free(c.data);
}

/* Every card, with the memory that UG1120 gives it. */
Test(xclbin, every_card_has_its_memory) {
  static const struct {
    const char *name;
    uint64_t gib;
    size_t banks;
  } cards[] = {{"u50", 8, 32},
               {"u55c", 16, 32},
               {"u200", 64, 4},
               {"u250", 64, 4},
               {"u280", 40, 34}};
  for (size_t i = 0; i < sizeof cards / sizeof cards[0]; i++) {
    systole_xclbin_plan plan = plan_for(cards[i].name);
    file f = make(&plan);
    systole_xclbin *x = parse(&f);
    uint64_t bytes = 0, last = 0;
    for (size_t b = 0; b < cards[i].banks; b++) {
      bytes += x->banks[b].bytes;
      if (b > 0 && x->banks[b].type == x->banks[b - 1].type) {
        cr_expect_geq(x->banks[b].base, last, "%s: banks overlap", cards[i].name);
      }
      last = x->banks[b].base + x->banks[b].bytes;
    }
    cr_expect_eq(bytes, cards[i].gib << 30, "%s has %lu bytes", cards[i].name, bytes);
    systole_xclbin_free(x);
    free(f.data);
  }
  cr_expect_null(systole_sim_card_find("u9999"));
}

/* A port over several banks of HBM reaches them as one group, which stands behind them.
 */
Test(xclbin, a_range_of_banks_becomes_a_group) {
  systole_xclbin_plan plan = plan_for("u50");
  plan.link =
      "[connectivity]\n# a comment\n nk = systole:1:systole_1\n"
      "sp=systole_1.m_axi_gmem0:HBM[0:3]\nsp=systole_1.m_axi_gmem1:HBM[5]\n"
      "slr=systole_1:SLR0\n";
  file f = make(&plan);
  systole_xclbin *x = parse(&f);
  cr_assert_eq(x->bank_count, 33);
  const int group = systole_xclbin_bank_of(x, 0, SYSTOLE_ARG_ACTIVATIONS);
  cr_expect_eq(group, 32);
  cr_expect_str_eq(x->banks[group].tag, "HBM[0:3]");
  cr_expect_eq(x->banks[group].base, 0);
  cr_expect_eq(x->banks[group].bytes, UINT64_C(1) << 30);
  cr_expect_eq(systole_xclbin_bank_of(x, 0, SYSTOLE_ARG_WEIGHTS), 5);
  cr_expect_eq(x->banks[4].used, 0);
  cr_expect_eq(x->unit_count, 1);
  systole_xclbin_free(x);
  free(f.data);
}

Test(xclbin, wrong_links_are_refused) {
  static const char *const bad[] = {"nk=vadd:1:vadd_1\n",
                                    "nk=systole:2:a.b.c\n",
                                    "nk=systole:0\n",
                                    "nk=systole:99\n",
                                    "sp=systole_1.m_axi_gmem0:HBM[0]\n",
                                    "sp=systole_1.m_axi_gmem0:DDR[4]\n",
                                    "sp=systole_1.m_axi_gmem0:DDR[3:1]\n",
                                    "sp=systole_1.m_axi_gmem9:DDR[0]\n",
                                    "sp=systole_7.m_axi_gmem0:DDR[0]\n",
                                    "sp=systole_1.m_axi_gmem0:DDR[0]x\n",
                                    "sp=\n"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    systole_xclbin_plan plan = plan_for("u250");
    plan.link = bad[i];
    uint8_t *data = (uint8_t *)1;
    uint64_t bytes = 1;
    cr_expect_eq(systole_xclbin_make(&data, &bytes, &plan), SYSTOLE_ERR_ARGUMENT, "%s",
                 bad[i]);
    cr_expect_null(data);
    cr_expect_gt(strlen(systole_last_error()), 20);
  }
}

/* Each file that is cut off somewhere is refused; none is read beyond its end (the tests
 * run with the address sanitizer, too). */
Test(xclbin, a_truncated_file_is_refused_wherever_it_ends) {
  systole_xclbin_plan plan = plan_for("u280");
  file f = make(&plan);
  for (uint64_t bytes = 0; bytes < f.bytes; bytes++) {
    systole_xclbin *x = (systole_xclbin *)1;
    cr_assert_eq(systole_xclbin_parse(&x, f.data, bytes, "it"), SYSTOLE_ERR_ARGUMENT,
                 "%lu bytes", bytes);
    cr_assert_null(x);
  }
  free(f.data);
}

Test(xclbin, a_spoiled_file_is_read_or_refused_and_nothing_else) {
  systole_xclbin_plan plan = plan_for("u55c");
  file f = make(&plan);
  systole_random random;
  int refused = 0;
  systole_random_seed(&random, 1);
  for (int i = 0; i < 20000; i++) {
    uint8_t *copy = malloc(f.bytes);
    systole_xclbin *x = NULL;
    memcpy(copy, f.data, f.bytes);
    for (int spot = 0; spot < 3; spot++) {
      /* Most of the fields that lead elsewhere are at the front. */
      const uint64_t at = systole_random_next(&random) % (i % 2 ? f.bytes : 1000);
      copy[at] = (uint8_t)systole_random_next(&random);
    }
    if (systole_xclbin_parse(&x, copy, f.bytes, "it") == SYSTOLE_OK) {
      (void)systole_xclbin_check_kernel(x, "it");
    } else {
      refused++;
    }
    systole_xclbin_free(x);
    free(copy);
  }
  cr_expect_gt(refused, 1000);
  free(f.data);
}

static void replace(file *f, const char *from, const char *to) {
  const size_t length = strlen(from);
  cr_assert_eq(length, strlen(to));
  int found = 0;
  for (uint64_t at = 0; at + length <= f->bytes; at++) {
    if (memcmp(f->data + at, from, length) != 0) continue;
    memcpy(f->data + at, to, length);
    found++;
  }
  cr_assert_gt(found, 0, "%s is not there", from);
}

Test(xclbin, another_kernel_or_another_version_of_it_is_refused) {
  static const struct {
    const char *from, *to, *said;
  } cases[] = {
      {"systole:systole_", "vectadd:systole_", "another kernel: vectadd"},
      {"name=\"weights\"", "name=\"wEIGHTS\"", "has weights"},
      {"offset=\"0x20\"", "offset=\"0x30\"", "register 0x30"},
      {"id=\"3\"", "id=\"4\"", "argument 4"},
      {"size=\"0x4\"", "size=\"0x8\"", "8 bytes"},
      {"addressQualifier=\"0\"", "addressQualifier=\"1\"", "instructions"},
      {"<kernel name=\"systole\"", "<kernel name=\"sistole\"", "tells nothing"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    systole_xclbin_plan plan = plan_for("u250");
    file f = make(&plan);
    replace(&f, cases[i].from, cases[i].to);
    systole_xclbin *x = parse(&f);
    cr_expect_eq(systole_xclbin_check_kernel(x, "FILE"), SYSTOLE_ERR_ARGUMENT, "%s",
                 cases[i].to);
    cr_expect_not_null(strstr(systole_last_error(), cases[i].said), "%s: %s", cases[i].to,
                       systole_last_error());
    systole_xclbin_free(x);
    free(f.data);
  }
}

Test(xclbin, files_that_are_none_are_refused) {
  systole_xclbin *x = NULL;
  cr_expect_eq(systole_xclbin_read(&x, "/nowhere/at.xclbin"), SYSTOLE_ERR_NOT_FOUND);
  cr_expect_eq(systole_xclbin_read(&x, "/tmp"), SYSTOLE_ERR_ARGUMENT);
  cr_expect_eq(systole_xclbin_parse(&x, "", 0, "it"), SYSTOLE_ERR_ARGUMENT);
  cr_expect_eq(systole_xclbin_parse(&x, "PK\3\4 and so on", 14, "it"),
               SYSTOLE_ERR_ARGUMENT);
  cr_expect_not_null(strstr(systole_last_error(), "no .xclbin file"));
}

#ifdef XRT_HEADERS
/* The same file through the structures of XRT's own header. */
Test(xclbin, has_the_layout_of_xrts_header) {
  systole_xclbin_plan plan = plan_for("u50");
  file f = make(&plan);
  const struct axlf *axlf = (const struct axlf *)(const void *)f.data;
  int seen = 0;
  cr_expect_str_eq(axlf->m_magic, "xclbin2");
  cr_expect_eq(axlf->m_signature_length, -1);
  cr_expect_eq(axlf->m_header.m_length, f.bytes);
  cr_expect_eq(axlf->m_header.m_mode, XCLBIN_FLAT);
  cr_expect_str_eq((const char *)axlf->m_header.m_platformVBNV, "systole_simulated_u50");
  cr_expect_eq(axlf->m_header.m_numSections, 8);
  for (uint32_t i = 0; i < axlf->m_header.m_numSections; i++) {
    const struct axlf_section_header *s = &axlf->m_sections[i];
    const void *at = f.data + s->m_sectionOffset;
    cr_expect_eq(s->m_sectionOffset % 8, 0);
    if (s->m_sectionKind == MEM_TOPOLOGY) {
      const struct mem_topology *memory = at;
      cr_expect_eq(memory->m_count, 32);
      cr_expect_eq(memory->m_mem_data[3].m_type, MEM_HBM);
      cr_expect_eq(memory->m_mem_data[3].m_size, 256 << 10, "size is in KiB");
      cr_expect_eq(memory->m_mem_data[3].m_base_address, UINT64_C(3) << 28);
      cr_expect_str_eq((const char *)memory->m_mem_data[3].m_tag, "HBM[3]");
      seen++;
    } else if (s->m_sectionKind == IP_LAYOUT) {
      const struct ip_layout *ips = at;
      cr_expect_eq(ips->m_count, 2);
      cr_expect_eq(ips->m_ip_data[1].m_type, IP_KERNEL);
      cr_expect_str_eq((const char *)ips->m_ip_data[1].m_name, "systole:systole_2");
      seen++;
    } else if (s->m_sectionKind == CONNECTIVITY) {
      const struct connectivity *c = at;
      cr_expect_eq(c->m_count, 2 * 3 * 8);
      cr_expect_eq(c->m_connection[0].arg_index, 0);
      seen++;
    } else if (s->m_sectionKind == ASK_GROUP_CONNECTIVITY) {
      const struct connectivity *c = at;
      cr_expect_eq(c->m_count, 2 * 3);
      cr_expect_geq(c->m_connection[0].mem_data_index, 32);
      seen++;
    } else if (s->m_sectionKind == CLOCK_FREQ_TOPOLOGY) {
      const struct clock_freq_topology *clocks = at;
      cr_expect_eq(clocks->m_count, 1);
      cr_expect_eq(clocks->m_clock_freq[0].m_freq_Mhz, 300);
      seen++;
    }
  }
  cr_expect_eq(seen, 5);
  free(f.data);
}
#endif

/* ---- names of devices ----------------------------------------------------------------
 */

Test(name, forms) {
  static const struct {
    const char *what, *file, *card, *unit;
    int index;
  } good[] = {
      {"a.xclbin", "a.xclbin", "0", "", 0},
      {"a:b.xclbin", "a:b.xclbin", "0", "", 0},
      {"a.xclbin:card=3", "a.xclbin", "3", "", 3},
      {"a.xclbin:cu=systole_2", "a.xclbin", "0", "systole_2", 0},
      {"/x/a.xclbin:card=1:cu=k2", "/x/a.xclbin", "1", "k2", 1},
      {"a.xclbin:card=0000:3b:00.1", "a.xclbin", "0000:3b:00.1", "", -1},
      {"a.xclbin:card=3b:00.1:cu=u", "a.xclbin", "3b:00.1", "u", -1},
  };
  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
    systole_xrt_name name;
    cr_assert_eq(systole_xrt_name_parse(&name, good[i].what), SYSTOLE_OK, "%s: %s",
                 good[i].what, systole_last_error());
    cr_expect_str_eq(name.file, good[i].file);
    cr_expect_str_eq(name.card, good[i].card);
    cr_expect_str_eq(name.unit, good[i].unit);
    cr_expect_eq(name.index, good[i].index);
  }
  static const char *const bad[] = {
      "",           ":card=0",       "a.xclbin:card=",       "a.xclbin:card=-1",
      "a:card=1x",  "a.xclbin:cu=",  "a.xclbin:cu=a,b",      "a.xclbin:cu=.*}",
      "a:card=xyz", "a:cu=x:card=1", "a.xclbin:card=9999999"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    systole_xrt_name name;
    cr_expect_eq(systole_xrt_name_parse(&name, bad[i]), SYSTOLE_ERR_ARGUMENT, "%s",
                 bad[i]);
  }
  char longest[3000];
  memset(longest, 'a', sizeof longest - 1);
  longest[sizeof longest - 1] = '\0';
  systole_xrt_name name;
  cr_expect_eq(systole_xrt_name_parse(&name, longest), SYSTOLE_ERR_ARGUMENT);
}

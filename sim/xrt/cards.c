#include "cards.h"

#include <stddef.h>
#include <string.h>

#define GIB(n) ((uint64_t)(n) << 30)
#define MIB(n) ((uint64_t)(n) << 20)

/* Sizes: UG1120, "Alveo Data Center Accelerator Card Platforms", memory tables. DDR banks
 * lie 64 GiB apart from 0x4000000000 on, HBM's pseudo-channels one after the other from 0
 * on; the host depends on neither.
 *
 * Two kernels share a card, so that several compute units can be tried everywhere. Each
 * port has memory of its own, as the timing law has it. */
#define LINK_DDR4                      \
  "nk=systole:2:systole_1.systole_2\n" \
  "sp=systole_1.m_axi_gmem0:DDR[0]\n"  \
  "sp=systole_1.m_axi_gmem1:DDR[1]\n"  \
  "sp=systole_2.m_axi_gmem0:DDR[2]\n"  \
  "sp=systole_2.m_axi_gmem1:DDR[3]\n"
#define LINK_HBM                          \
  "nk=systole:2:systole_1.systole_2\n"    \
  "sp=systole_1.m_axi_gmem0:HBM[0:7]\n"   \
  "sp=systole_1.m_axi_gmem1:HBM[8:15]\n"  \
  "sp=systole_2.m_axi_gmem0:HBM[16:23]\n" \
  "sp=systole_2.m_axi_gmem1:HBM[24:31]\n"

static const systole_sim_card cards[] = {
    {"u200", {{"DDR", 0, 4, GIB(256), GIB(64), GIB(16)}}, 1, LINK_DDR4},
    {"u250", {{"DDR", 0, 4, GIB(256), GIB(64), GIB(16)}}, 1, LINK_DDR4},
    {"u280",
     {{"HBM", 1, 32, 0, MIB(256), MIB(256)}, {"DDR", 0, 2, GIB(256), GIB(64), GIB(16)}},
     2,
     LINK_HBM},
    {"u50", {{"HBM", 1, 32, 0, MIB(256), MIB(256)}}, 1, LINK_HBM},
    {"u55c", {{"HBM", 1, 32, 0, MIB(512), MIB(512)}}, 1, LINK_HBM},
};

const systole_sim_card *systole_sim_card_at(int index) {
  return index >= 0 && (size_t)index < sizeof cards / sizeof cards[0] ? &cards[index]
                                                                      : NULL;
}

const systole_sim_card *systole_sim_card_find(const char *name) {
  for (int i = 0; systole_sim_card_at(i); i++) {
    if (strcmp(cards[i].name, name) == 0) return &cards[i];
  }
  return NULL;
}

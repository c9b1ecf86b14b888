// The accelerator without its pins: fetch, dispatch, five units, the core, ledger, errors.
//
// A run: start_i -> instructions are fetched and dispatched -> END finds everything quiet -> done_o.
// An error: the first one is latched; from the next cycle on the units are in reset and the AXI
// masters finish what was accepted (no-strobe writes, reads thrown away); then done_o, as for
// success. If the memory never answers, the kernel stays busy with ErrorMemory.
//
// AXI: R inputs go into register slices (systole_skid); no input is used outside a clocked process
// but to wake clocks. gmem1 is shared by fetch and weights, which only ask for what they have room for.
`include "systole_assert.svh"
`default_nettype none

module systole_kernel #(
  parameter int Dim         = 16,
  parameter int UbRows      = 16384,
  parameter int AccRows     = 2048,
  parameter int WeightTiles = 16,
  parameter int AxiBytes    = 16,
  parameter int FlatArray   = 1,     // 1: systole_core_flat, 0: systole_core_readable
  parameter int PackedDsp   = 0,     // of the readable core
  parameter int Watchdog    = 65536, // cycles
  parameter int ClockGates  = 1,     // see systole_clock_gate
  parameter int Features    = 3,     // systole_pkg::Feature*: instructions that are not refused
  localparam int Settled    = systole_pkg::CounterInstructions
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,

  input  logic                  start_i,        // one cycle, only while busy_o is low
  input  logic [63:0]           program_i,
  input  logic [63:0]           weights_i,
  input  logic [63:0]           activations_i,
  input  logic [31:0]           instructions_i,
  output logic                  busy_o,
  output logic                  done_o,         // one cycle
  output logic [7:0]            error_code_o,   // of the last run, or of this one
  output logic [7:0]            error_unit_o,
  output logic [31:0]           error_index_o,
  output logic [31:0]           error_detail_o,
  output logic [64*Settled-1:0] counters_o,   // see systole_ledger
  output logic [63:0]           dispatched_o,

  output logic                  gmem0_ar_valid_o,
  input  logic                  gmem0_ar_ready_i,
  output logic [63:0]           gmem0_ar_addr_o,
  output logic [7:0]            gmem0_ar_len_o,
  input  logic                  gmem0_r_valid_i,
  output logic                  gmem0_r_ready_o,
  input  logic [8*AxiBytes-1:0] gmem0_r_data_i,
  input  logic [1:0]            gmem0_r_resp_i,
  input  logic                  gmem0_r_last_i,
  output logic                  gmem0_aw_valid_o,
  input  logic                  gmem0_aw_ready_i,
  output logic [63:0]           gmem0_aw_addr_o,
  output logic [7:0]            gmem0_aw_len_o,
  output logic                  gmem0_w_valid_o,
  input  logic                  gmem0_w_ready_i,
  output logic [8*AxiBytes-1:0] gmem0_w_data_o,
  output logic [AxiBytes-1:0]   gmem0_w_strb_o,
  output logic                  gmem0_w_last_o,
  input  logic                  gmem0_b_valid_i,
  output logic                  gmem0_b_ready_o,
  input  logic [1:0]            gmem0_b_resp_i,

  output logic                  gmem1_ar_valid_o,
  input  logic                  gmem1_ar_ready_i,
  output logic [63:0]           gmem1_ar_addr_o,
  output logic [7:0]            gmem1_ar_len_o,
  input  logic                  gmem1_r_valid_i,
  output logic                  gmem1_r_ready_o,
  input  logic [8*AxiBytes-1:0] gmem1_r_data_i,
  input  logic [1:0]            gmem1_r_resp_i,
  input  logic                  gmem1_r_last_i
);
  localparam int Units     = systole_pkg::Units;
  localparam int Load      = systole_pkg::UnitLoad;
  localparam int Weight    = systole_pkg::UnitWeight;
  localparam int Array     = systole_pkg::UnitArray;
  localparam int Activate  = systole_pkg::UnitActivate;
  localparam int Store     = systole_pkg::UnitStore;
  localparam int InstrBits = systole_pkg::InstructionBits;
  localparam int UbBits    = $clog2(UbRows);
  localparam int AccBits   = $clog2(AccRows);
  localparam int ZeroBits  = 2 * $clog2(Dim) + 1;
  localparam int BeatBits  = $clog2(8 * Dim / AxiBytes) + 1;
  // Bursts in flight that cover a latency of some 128 cycles even with tiles of a few beats.
  localparam int LoadsInFlight  = 64; // of a beat each, when one row of many blocks is loaded
  localparam int ReadsInFlight  = 16;
  localparam int WritesInFlight = 16;

  logic abort_q;   // an error was found; the AXI masters finish
  logic run_ni;    // reset of the units
  // Between runs the units are in reset, so that what a program leaves behind (a tile that no
  // MATMUL used, a token that nobody took) ends with it.
  logic run_q;
  logic launch_q;  // first cycle in which the units are out of reset
  assign run_ni = rst_ni && run_q && !abort_q;

  // The clocks of what stands at a memory port, and who needs them in this cycle; the gates are
  // further down.
  logic run_clk, gmem0_clk, gmem1_clk;
  logic fetch_wake, fetch_axi_wake, weight_wake, weight_axi_wake;
  logic dispatch_wake, load_wake, load_axi_wake, activate_wake, store_wake, store_axi_wake, ub_wake;

  // ---- what comes back from the memories ---------------------------------------------------------
  localparam int SliceBits = 8 * AxiBytes + 3;
  logic                  r0_valid, r0_ready, r0_last, r1_valid, r1_ready, r1_last;
  logic [8*AxiBytes-1:0] r0_data, r1_data;
  logic [1:0]            r0_resp, r1_resp;

  systole_skid #(.Width(SliceBits)) u_gmem0_r (
    .clk_i(gmem0_clk), .rst_ni, .clear_i(1'b0),
    .valid_i(gmem0_r_valid_i), .ready_o(gmem0_r_ready_o), .data_i({gmem0_r_resp_i, gmem0_r_last_i, gmem0_r_data_i}),
    .valid_o(r0_valid), .ready_i(r0_ready), .data_o({r0_resp, r0_last, r0_data}));
  systole_skid #(.Width(SliceBits)) u_gmem1_r (
    .clk_i(gmem1_clk), .rst_ni, .clear_i(1'b0),
    .valid_i(gmem1_r_valid_i), .ready_o(gmem1_r_ready_o), .data_i({gmem1_r_resp_i, gmem1_r_last_i, gmem1_r_data_i}),
    .valid_o(r1_valid), .ready_i(r1_ready), .data_o({r1_resp, r1_last, r1_data}));

  // ---- command fetch and dispatch ------------------------------------------------------------
  logic                  fetch_req_valid, fetch_req_ready, fetch_data_valid, fetch_data_ready;
  logic [63:0]           fetch_req_addr;
  logic [31:0]           fetch_req_beats;
  logic [8*AxiBytes-1:0] fetch_data;
  logic                  fetch_valid, fetch_pop, fetch_busy;
  logic [InstrBits-1:0]  fetch_instr;
  logic [31:0]           fetch_index;

  systole_fetch #(.AxiBytes(AxiBytes)) u_fetch (
    .clk_i(gmem1_clk), .rst_ni(run_ni), .start_i(launch_q), .program_i, .instructions_i,
    .req_valid_o(fetch_req_valid), .req_ready_i(fetch_req_ready), .req_addr_o(fetch_req_addr), .req_beats_o(fetch_req_beats),
    .data_valid_i(fetch_data_valid), .data_ready_o(fetch_data_ready), .data_i(fetch_data),
    .valid_o(fetch_valid), .head_o(fetch_instr), .pop_i(fetch_pop), .index_o(fetch_index), .wake_o(fetch_wake), .busy_o(fetch_busy));

  logic [Units-1:0]     queue_full, queue_push, head_valid, head_ready, accept, done;
  logic [InstrBits-1:0] instr;
  logic [31:0]          instr_index;
  logic                 push, quiet, dispatch_done, dispatch_error;
  logic [7:0]           dispatch_code;
  logic [31:0]          dispatch_error_index, dispatch_detail;

  systole_dispatch #(.Dim(Dim), .Features(Features)) u_dispatch (
    .clk_i(gmem0_clk), .rst_ni(run_ni), .start_i(launch_q), .instructions_i,
    .fetch_valid_i(fetch_valid), .fetch_i(fetch_instr), .fetch_pop_o(fetch_pop),
    .full_i(queue_full), .push_unit_o(queue_push), .instr_o(instr), .push_o(push),
    .units_idle_i(quiet), .wake_o(dispatch_wake), .done_o(dispatch_done),
    .error_o(dispatch_error), .error_code_o(dispatch_code), .error_index_o(dispatch_error_index),
    .error_detail_o(dispatch_detail), .index_o(instr_index));

  // ---- queues and tokens -----------------------------------------------------------------------
  logic [InstrBits-1:0]   head       [0:Units-1];
  logic [31:0]            head_index [0:Units-1];
  logic [Units-1:0]       give       [0:Units-1];
  logic [Units*Units-1:0] waits, gives, missing;
  logic                   token_overflow;
  logic [2:0]             overflow_from, overflow_to;

  for (genvar u = 0; u < Units; u++) begin : g_unit
    logic unused_full, unused_valid;
    systole_queue #(.Width(InstrBits), .Depth(systole_pkg::QueueDepth)) u_instructions (
      .clk_i(gmem0_clk), .rst_ni(run_ni), .push_i(queue_push[u]), .data_i(instr), .full_o(queue_full[u]),
      .pop_i(accept[u]), .valid_o(head_valid[u]), .head_o(head[u]));
    systole_queue #(.Width(32), .Depth(systole_pkg::QueueDepth)) u_numbers (
      .clk_i(gmem0_clk), .rst_ni(run_ni), .push_i(queue_push[u]), .data_i(instr_index), .full_o(unused_full),
      .pop_i(accept[u]), .valid_o(unused_valid), .head_o(head_index[u]));
    assign waits[Units*u +: Units] = head[u][systole_pkg::WaitLsb +: Units];
    assign gives[Units*u +: Units] = give[u];
    assign head_ready[u] = head_valid[u] && missing[Units*u +: Units] == '0;
  end

  systole_tokens u_tokens (
    .clk_i(gmem0_clk), .rst_ni(run_ni), .done_i(done), .give_i(gives), .accept_i(accept), .wait_i(waits),
    .missing_o(missing), .overflow_o(token_overflow), .overflow_from_o(overflow_from), .overflow_to_o(overflow_to));

  // ---- load ------------------------------------------------------------------------------------
  logic                  load_req_valid, load_req_ready, load_data_valid, load_data_ready;
  logic [63:0]           load_req_addr;
  logic [31:0]           load_req_beats;
  logic [8*AxiBytes-1:0] load_data;
  logic                  load_ub_valid, load_ub_grant, load_fill, load_cut;
  logic [UbBits-1:0]     load_ub_row;
  logic [7:0]            load_fill_byte;
  logic [8:0]            load_lanes;
  logic [8*Dim-1:0]      load_row;
  logic                  load_range_error, load_align_error, load_busy;
  logic [31:0]           load_detail, load_index;

  systole_load #(.Dim(Dim), .UbRows(UbRows), .AxiBytes(AxiBytes)) u_load (
    .clk_i(gmem0_clk), .rst_ni(run_ni), .base_i(activations_i),
    .head_valid_i(head_ready[Load]), .head_i(head[Load]), .head_index_i(head_index[Load]),
    .accept_o(accept[Load]), .done_o(done[Load]), .give_o(give[Load]),
    .req_valid_o(load_req_valid), .req_ready_i(load_req_ready), .req_addr_o(load_req_addr), .req_beats_o(load_req_beats),
    .data_valid_i(load_data_valid), .data_ready_o(load_data_ready), .data_i(load_data),
    .ub_valid_o(load_ub_valid), .ub_grant_i(load_ub_grant), .ub_row_o(load_ub_row),
    .ub_fill_o(load_fill), .ub_fill_byte_o(load_fill_byte), .ub_cut_o(load_cut), .ub_lanes_o(load_lanes), .ub_data_o(load_row),
    .range_error_o(load_range_error), .align_error_o(load_align_error), .error_detail_o(load_detail),
    .index_o(load_index), .wake_o(load_wake), .busy_o(load_busy));

  logic        load_axi_idle, load_axi_error, load_axi_decode, load_beat;
  logic [31:0] load_axi_addr;
  systole_axi_read #(.AxiBytes(AxiBytes), .Outstanding(LoadsInFlight)) u_load_axi (
    .clk_i(gmem0_clk), .rst_ni, .abort_i(abort_q),
    .req_valid_i(load_req_valid), .req_ready_o(load_req_ready), .req_addr_i(load_req_addr), .req_beats_i(load_req_beats),
    .data_valid_o(load_data_valid), .data_ready_i(load_data_ready), .data_o(load_data),
    .idle_o(load_axi_idle), .error_o(load_axi_error), .error_decode_o(load_axi_decode), .error_addr_o(load_axi_addr), .wake_o(load_axi_wake), .beat_o(load_beat),
    .ar_valid_o(gmem0_ar_valid_o), .ar_ready_i(gmem0_ar_ready_i), .ar_addr_o(gmem0_ar_addr_o), .ar_len_o(gmem0_ar_len_o),
    .r_valid_i(r0_valid), .r_ready_o(r0_ready), .r_data_i(r0_data), .r_resp_i(r0_resp), .r_last_i(r0_last));

  // ---- weights ---------------------------------------------------------------------------------
  logic                  weight_req_valid, weight_req_ready, weight_data_valid, weight_data_ready;
  logic [63:0]           weight_req_addr;
  logic [31:0]           weight_req_beats;
  logic [8*AxiBytes-1:0] weight_data;
  logic                  tile_switch, tile_ready, tile_here, weight_valid;
  logic [8*Dim-1:0]      weight_row;
  logic                  param_valid, param_bank;
  logic [BeatBits-1:0]   param_beat;
  logic [8*AxiBytes-1:0] param_data;
  logic                  weight_align_error, weight_busy;
  logic [31:0]           weight_index;

  systole_weights #(.Dim(Dim), .AxiBytes(AxiBytes), .WeightTiles(WeightTiles)) u_weights (
    .clk_i(gmem1_clk), .rst_ni(run_ni), .base_i(weights_i),
    .head_valid_i(head_ready[Weight]), .head_i(head[Weight]), .head_index_i(head_index[Weight]),
    .accept_o(accept[Weight]), .done_o(done[Weight]), .give_o(give[Weight]),
    .req_valid_o(weight_req_valid), .req_ready_i(weight_req_ready), .req_addr_o(weight_req_addr), .req_beats_o(weight_req_beats),
    .data_valid_i(weight_data_valid), .data_ready_o(weight_data_ready), .data_i(weight_data),
    .switch_i(tile_switch), .tile_ready_o(tile_ready), .tile_here_o(tile_here),
    .weight_valid_o(weight_valid), .weight_row_o(weight_row),
    .param_valid_o(param_valid), .param_bank_o(param_bank), .param_beat_o(param_beat), .param_data_o(param_data),
    .error_o(weight_align_error), .index_o(weight_index), .wake_o(weight_wake), .busy_o(weight_busy));

  // gmem1: client 0 is the fetch, client 1 the weights.
  logic                  c0_ar_valid, c0_ar_ready, c0_r_valid, c0_r_ready, c0_r_last;
  logic                  c1_ar_valid, c1_ar_ready, c1_r_valid, c1_r_ready, c1_r_last;
  logic [63:0]           c0_ar_addr, c1_ar_addr;
  logic [7:0]            c0_ar_len, c1_ar_len;
  logic [8*AxiBytes-1:0] c0_r_data, c1_r_data;
  logic [1:0]            c0_r_resp, c1_r_resp;
  logic                  fetch_axi_idle, fetch_axi_error, fetch_axi_decode, fetch_beat;
  logic                  weight_axi_idle, weight_axi_error, weight_axi_decode, weight_beat;
  logic [31:0]           fetch_axi_addr, weight_axi_addr;

  systole_axi_read #(.AxiBytes(AxiBytes), .Outstanding(4)) u_fetch_axi (
    .clk_i(gmem1_clk), .rst_ni, .abort_i(abort_q),
    .req_valid_i(fetch_req_valid), .req_ready_o(fetch_req_ready), .req_addr_i(fetch_req_addr), .req_beats_i(fetch_req_beats),
    .data_valid_o(fetch_data_valid), .data_ready_i(fetch_data_ready), .data_o(fetch_data),
    .idle_o(fetch_axi_idle), .error_o(fetch_axi_error), .error_decode_o(fetch_axi_decode), .error_addr_o(fetch_axi_addr), .wake_o(fetch_axi_wake), .beat_o(fetch_beat),
    .ar_valid_o(c0_ar_valid), .ar_ready_i(c0_ar_ready), .ar_addr_o(c0_ar_addr), .ar_len_o(c0_ar_len),
    .r_valid_i(c0_r_valid), .r_ready_o(c0_r_ready), .r_data_i(c0_r_data), .r_resp_i(c0_r_resp), .r_last_i(c0_r_last));
  systole_axi_read #(.AxiBytes(AxiBytes), .Outstanding(ReadsInFlight)) u_weight_axi (
    .clk_i(gmem1_clk), .rst_ni, .abort_i(abort_q),
    .req_valid_i(weight_req_valid), .req_ready_o(weight_req_ready), .req_addr_i(weight_req_addr), .req_beats_i(weight_req_beats),
    .data_valid_o(weight_data_valid), .data_ready_i(weight_data_ready), .data_o(weight_data),
    .idle_o(weight_axi_idle), .error_o(weight_axi_error), .error_decode_o(weight_axi_decode), .error_addr_o(weight_axi_addr), .wake_o(weight_axi_wake), .beat_o(weight_beat),
    .ar_valid_o(c1_ar_valid), .ar_ready_i(c1_ar_ready), .ar_addr_o(c1_ar_addr), .ar_len_o(c1_ar_len),
    .r_valid_i(c1_r_valid), .r_ready_o(c1_r_ready), .r_data_i(c1_r_data), .r_resp_i(c1_r_resp), .r_last_i(c1_r_last));
  systole_axi_read_arbiter #(.AxiBytes(AxiBytes), .Outstanding(2 * ReadsInFlight)) u_gmem1 (
    .clk_i(gmem1_clk), .rst_ni,
    .c0_ar_valid_i(c0_ar_valid), .c0_ar_ready_o(c0_ar_ready), .c0_ar_addr_i(c0_ar_addr), .c0_ar_len_i(c0_ar_len),
    .c0_r_valid_o(c0_r_valid), .c0_r_ready_i(c0_r_ready), .c0_r_data_o(c0_r_data), .c0_r_resp_o(c0_r_resp), .c0_r_last_o(c0_r_last),
    .c1_ar_valid_i(c1_ar_valid), .c1_ar_ready_o(c1_ar_ready), .c1_ar_addr_i(c1_ar_addr), .c1_ar_len_i(c1_ar_len),
    .c1_r_valid_o(c1_r_valid), .c1_r_ready_i(c1_r_ready), .c1_r_data_o(c1_r_data), .c1_r_resp_o(c1_r_resp), .c1_r_last_o(c1_r_last),
    .ar_valid_o(gmem1_ar_valid_o), .ar_ready_i(gmem1_ar_ready_i), .ar_addr_o(gmem1_ar_addr_o), .ar_len_o(gmem1_ar_len_o),
    .r_valid_i(r1_valid), .r_ready_o(r1_ready), .r_data_i(r1_data), .r_resp_i(r1_resp), .r_last_i(r1_last));

  // ---- array, core, activation -------------------------------------------------------------------
  logic               row_valid, row_overwrite, row_switch, active;
  logic [UbBits-1:0]  row_ub;
  logic [AccBits-1:0] row_acc;
  logic [1:0]         flight_next, flight_q;
  logic [2:0]         where;
  logic               matmul_ub_error, matmul_acc_error;
  logic [31:0]        matmul_detail;

  systole_matmul #(.Dim(Dim), .UbRows(UbRows), .AccRows(AccRows)) u_matmul (
    .clk_i, .rst_ni(run_ni),
    .head_valid_i(head_valid[Array]), .head_ready_i(head_ready[Array]), .head_missing_i(missing[Units*Array +: Units]), .head_i(head[Array]),
    .accept_o(accept[Array]), .done_o(done[Array]), .give_o(give[Array]),
    .tile_ready_i(tile_ready), .tile_here_i(tile_here), .switch_o(tile_switch),
    .row_valid_o(row_valid), .row_ub_o(row_ub), .row_acc_o(row_acc), .row_overwrite_o(row_overwrite), .row_switch_o(row_switch),
    .flight_next_o(flight_next), .active_o(active), .where_o(where),
    .ub_error_o(matmul_ub_error), .acc_error_o(matmul_acc_error), .error_detail_o(matmul_detail));

  // What the units at the memories know of the array, in their clock: they run whenever they look.
  // flight_q: rows are on their way to this half. matmuls_q: instructions begun and not yet done.
  logic [2:0] matmuls_q;
  logic       matmul_busy;
  assign matmul_busy = matmuls_q != '0;
  always_ff @(posedge gmem0_clk) begin
    flight_q <= flight_next;
    if (accept[Array] != done[Array]) matmuls_q <= accept[Array] ? matmuls_q + 1'b1 : matmuls_q - 1'b1;
    if (!run_ni) begin
      flight_q  <= '0;
      matmuls_q <= '0;
    end
  end

  logic               acc_read;
  logic [AccBits-1:0] acc_row;
  logic [32*Dim-1:0]  acc_rdata;
  logic               raw_valid, raw_ready;
  logic [32*Dim-1:0]  raw_data;
  logic               activate_ub_valid, activate_ub_grant;
  logic [UbBits-1:0]  activate_ub_row;
  logic [8*Dim-1:0]   activate_ub_data;
  logic               residual_valid, residual_grant, residual_here;
  logic [UbBits-1:0]  residual_row;
  logic [8*Dim-1:0]   ub_rdata;
  logic               activate_ub_error, activate_acc_error, activate_busy;
  logic [31:0]        activate_detail, activate_error_index, activate_index, activate_done_index;

  systole_activate #(.Dim(Dim), .UbRows(UbRows), .AccRows(AccRows), .AxiBytes(AxiBytes)) u_activate (
    .clk_i(gmem0_clk), .rst_ni(run_ni),
    .head_valid_i(head_ready[Activate]), .head_i(head[Activate]), .head_index_i(head_index[Activate]),
    .accept_o(accept[Activate]), .done_o(done[Activate]), .give_o(give[Activate]),
    .param_valid_i(param_valid), .param_bank_i(param_bank), .param_beat_i(param_beat), .param_data_i(param_data),
    .flight_i(flight_q), .acc_read_o(acc_read), .acc_row_o(acc_row), .acc_rdata_i(acc_rdata),
    .residual_valid_o(residual_valid), .residual_grant_i(residual_grant), .residual_row_o(residual_row),
    .residual_here_i(residual_here), .residual_data_i(ub_rdata),
    .raw_valid_o(raw_valid), .raw_ready_i(raw_ready), .raw_data_o(raw_data),
    .ub_valid_o(activate_ub_valid), .ub_grant_i(activate_ub_grant), .ub_row_o(activate_ub_row), .ub_data_o(activate_ub_data),
    .ub_error_o(activate_ub_error), .acc_error_o(activate_acc_error), .error_detail_o(activate_detail),
    .error_index_o(activate_error_index), .index_o(activate_index), .done_index_o(activate_done_index),
    .wake_o(activate_wake), .busy_o(activate_busy));

  logic              store_ub_valid, store_ub_grant, store_ub_here;
  logic [UbBits-1:0] store_ub_row;
  logic              ub_enable, ub_write;
  logic [UbBits-1:0] ub_row;
  logic [8*Dim-1:0]  ub_wdata;

  systole_ub_port #(.Dim(Dim), .UbRows(UbRows)) u_ub_port (
    .clk_i(gmem0_clk), .rst_ni(run_ni),
    .store_valid_i(store_ub_valid), .store_grant_o(store_ub_grant), .store_row_i(store_ub_row), .store_data_o(store_ub_here),
    .residual_valid_i(residual_valid), .residual_grant_o(residual_grant), .residual_row_i(residual_row), .residual_data_o(residual_here),
    .activate_valid_i(activate_ub_valid), .activate_grant_o(activate_ub_grant), .activate_row_i(activate_ub_row), .activate_data_i(activate_ub_data),
    .load_valid_i(load_ub_valid), .load_grant_o(load_ub_grant), .load_row_i(load_ub_row),
    .load_fill_i(load_fill), .load_fill_byte_i(load_fill_byte), .load_cut_i(load_cut), .load_lanes_i(load_lanes), .load_data_i(load_row),
    .wake_o(ub_wake), .ub_enable_o(ub_enable), .ub_write_o(ub_write), .ub_row_o(ub_row), .ub_data_o(ub_wdata));

  logic                zero_valid;
  logic [ZeroBits-1:0] zero_macs;
  if (FlatArray != 0) begin : g_flat
    systole_core_flat #(.Dim(Dim), .UbRows(UbRows), .AccRows(AccRows)) u_core (
      .clk_i, .rst_ni(run_ni),
      .row_valid_i(row_valid), .row_ub_i(row_ub), .row_acc_i(row_acc), .row_overwrite_i(row_overwrite), .row_switch_i(row_switch),
      .weight_valid_i(weight_valid), .weight_row_i(weight_row),
      .ub_enable_i(ub_enable), .ub_write_i(ub_write), .ub_row_i(ub_row), .ub_wdata_i(ub_wdata), .ub_rdata_o(ub_rdata),
      .acc_read_i(acc_read), .acc_row_i(acc_row), .acc_rdata_o(acc_rdata),
      .zero_valid_o(zero_valid), .zero_macs_o(zero_macs));
  end else begin : g_readable
    systole_core_readable #(.Dim(Dim), .UbRows(UbRows), .AccRows(AccRows), .PackedDsp(PackedDsp)) u_core (
      .clk_i, .rst_ni(run_ni),
      .row_valid_i(row_valid), .row_ub_i(row_ub), .row_acc_i(row_acc), .row_overwrite_i(row_overwrite), .row_switch_i(row_switch),
      .weight_valid_i(weight_valid), .weight_row_i(weight_row),
      .ub_enable_i(ub_enable), .ub_write_i(ub_write), .ub_row_i(ub_row), .ub_wdata_i(ub_wdata), .ub_rdata_o(ub_rdata),
      .acc_read_i(acc_read), .acc_row_i(acc_row), .acc_rdata_o(acc_rdata),
      .zero_valid_o(zero_valid), .zero_macs_o(zero_macs));
  end

  // ---- store -------------------------------------------------------------------------------------
  logic                  store_req_valid, store_req_ready, store_data_valid, store_data_ready;
  logic [63:0]           store_req_addr;
  logic [31:0]           store_req_beats;
  logic [8*AxiBytes-1:0] store_data;
  logic [AxiBytes-1:0]   store_strb;
  logic                  burst_end, response, store_range_error, store_align_error, store_owed, store_busy;
  logic [31:0]           store_detail, store_index, store_answer_index;

  systole_store #(.Dim(Dim), .UbRows(UbRows), .AxiBytes(AxiBytes)) u_store (
    .clk_i(gmem0_clk), .rst_ni(run_ni), .base_i(activations_i),
    .head_valid_i(head_ready[Store]), .head_i(head[Store]), .head_index_i(head_index[Store]),
    .accept_o(accept[Store]), .done_o(done[Store]), .give_o(give[Store]),
    .req_valid_o(store_req_valid), .req_ready_i(store_req_ready), .req_addr_o(store_req_addr), .req_beats_o(store_req_beats),
    .data_valid_o(store_data_valid), .data_ready_i(store_data_ready), .data_o(store_data), .strb_o(store_strb),
    .burst_end_i(burst_end), .response_i(response),
    .ub_valid_o(store_ub_valid), .ub_grant_i(store_ub_grant), .ub_row_o(store_ub_row), .ub_data_valid_i(store_ub_here), .ub_data_i(ub_rdata),
    .raw_valid_i(raw_valid), .raw_ready_o(raw_ready), .raw_data_i(raw_data),
    .range_error_o(store_range_error), .align_error_o(store_align_error), .error_detail_o(store_detail),
    .index_o(store_index), .answer_index_o(store_answer_index), .owed_o(store_owed), .wake_o(store_wake), .busy_o(store_busy));

  logic        store_axi_idle, store_axi_error, store_axi_decode, store_beat;
  logic [31:0] store_axi_addr;
  systole_axi_write #(.AxiBytes(AxiBytes), .Outstanding(WritesInFlight)) u_store_axi (
    .clk_i(gmem0_clk), .rst_ni, .abort_i(abort_q),
    .req_valid_i(store_req_valid), .req_ready_o(store_req_ready), .req_addr_i(store_req_addr), .req_beats_i(store_req_beats),
    .data_valid_i(store_data_valid), .data_ready_o(store_data_ready), .data_i(store_data), .strb_i(store_strb),
    .idle_o(store_axi_idle), .error_o(store_axi_error), .error_decode_o(store_axi_decode), .error_addr_o(store_axi_addr), .wake_o(store_axi_wake),
    .beat_o(store_beat), .burst_end_o(burst_end), .response_o(response),
    .aw_valid_o(gmem0_aw_valid_o), .aw_ready_i(gmem0_aw_ready_i), .aw_addr_o(gmem0_aw_addr_o), .aw_len_o(gmem0_aw_len_o),
    .w_valid_o(gmem0_w_valid_o), .w_ready_i(gmem0_w_ready_i), .w_data_o(gmem0_w_data_o), .w_strb_o(gmem0_w_strb_o), .w_last_o(gmem0_w_last_o),
    .b_valid_i(gmem0_b_valid_i), .b_ready_o(gmem0_b_ready_o), .b_resp_i(gmem0_b_resp_i));

  // ---- the run -------------------------------------------------------------------------------------
  logic       axi_idle;
  logic [1:0] drained_q;  // AXI masters idle in the last cycles of an abort
  logic       units_busy;
  logic       timeout;
  logic       progress;
  logic       memory_owes;
  logic       pointer_error; // a pointer is not a multiple of BlockAlign
  logic       error;

  assign axi_idle   = load_axi_idle && fetch_axi_idle && weight_axi_idle && store_axi_idle;
  assign units_busy = fetch_busy || load_busy || weight_busy || matmul_busy || activate_busy || store_busy || head_valid != '0;
  assign quiet      = !units_busy && axi_idle;
  assign progress   = active || fetch_beat || weight_beat || store_beat || response || push ||
                      accept != '0 || done != '0 || ub_enable || raw_ready && raw_valid || acc_read;
  // What keeps a silent machine waiting is the memory if it owes data, a response or an acceptance.
  assign memory_owes = gmem0_ar_valid_o || gmem0_aw_valid_o || gmem0_w_valid_o || gmem1_ar_valid_o || store_owed ||
                       (!load_axi_idle && !load_data_valid) || !fetch_axi_idle || (!weight_axi_idle && !weight_data_valid);

  systole_watchdog #(.Cycles(Watchdog)) u_watchdog (
    .clk_i, .run_i(run_q && !abort_q), .progress_i(progress), .beat_i(load_beat), .timeout_o(timeout));

  // Which unit the watchdog names: one whose head waits for tokens, else one that is at work.
  logic [2:0]  waiting_unit;
  logic [31:0] waiting_index;
  logic [Units-1:0] waiting_missing; // units whose tokens it waits for; none: it is at work
  logic [31:0] work_index_q [0:Units-1]; // instruction that the unit took last
  for (genvar u = 0; u < Units; u++) begin : g_work
    always_ff @(posedge gmem0_clk)
      if (accept[u]) work_index_q[u] <= head_index[u];
  end
  always_comb begin
    waiting_unit = load_busy ? 3'(Load) : weight_busy ? 3'(Weight) : matmul_busy ? 3'(Array) :
                   activate_busy ? 3'(Activate) : 3'(Store);
    waiting_index = (waiting_unit == 3'(Activate)) ? activate_index : work_index_q[waiting_unit];
    waiting_missing = '0;
    for (int u = Units - 1; u >= 0; u--) begin
      if (head_valid[u] && !head_ready[u]) begin
        waiting_unit    = 3'(u);
        waiting_index   = head_index[u];
        waiting_missing = missing[Units*u +: Units];
      end
    end
  end

  assign error = pointer_error || dispatch_error || load_range_error || load_align_error || weight_align_error ||
                 matmul_ub_error || matmul_acc_error || activate_ub_error || activate_acc_error ||
                 store_range_error || store_align_error || load_axi_error || fetch_axi_error ||
                 weight_axi_error || store_axi_error || token_overflow || timeout;

  function automatic logic [7:0] axi_code(input logic decode);
    axi_code = decode ? 8'(systole_pkg::ErrorDecode) : 8'(systole_pkg::ErrorSlave);
  endfunction

  always_ff @(posedge run_clk) begin
    done_o        <= 1'b0;
    launch_q      <= start_i;
    pointer_error <= start_i && (program_i[5:0] | weights_i[5:0] | activations_i[5:0]) != 6'd0;
    if (start_i) begin
      run_q          <= 1'b1;
      error_code_o   <= 8'(systole_pkg::ErrorNone);
      error_unit_o   <= '0;
      error_index_o  <= '0;
      error_detail_o <= '0;
    end
    if (done_o) run_q <= 1'b0;
    if (run_q && error && !abort_q && !done_o) begin
      abort_q   <= 1'b1;
      drained_q <= '0;
      if (pointer_error) begin
        error_code_o <= 8'(systole_pkg::ErrorAlign); error_unit_o <= 8'(systole_pkg::UnitDispatch);
      end else if (load_axi_error) begin
        error_code_o <= axi_code(load_axi_decode); error_unit_o <= 8'(Load);
        error_index_o <= load_index; error_detail_o <= load_axi_addr;
      end else if (weight_axi_error) begin
        error_code_o <= axi_code(weight_axi_decode); error_unit_o <= 8'(Weight);
        error_index_o <= weight_index; error_detail_o <= weight_axi_addr;
      end else if (store_axi_error) begin
        error_code_o <= axi_code(store_axi_decode); error_unit_o <= 8'(Store);
        error_index_o <= store_answer_index; error_detail_o <= store_axi_addr;
      end else if (fetch_axi_error) begin
        error_code_o <= axi_code(fetch_axi_decode); error_unit_o <= 8'(systole_pkg::UnitFetch);
        error_index_o <= fetch_index; error_detail_o <= fetch_axi_addr;
      end else if (load_range_error || load_align_error) begin
        error_code_o <= load_range_error ? 8'(systole_pkg::ErrorUbRange) : 8'(systole_pkg::ErrorAlign);
        error_unit_o <= 8'(Load); error_index_o <= load_index; error_detail_o <= load_range_error ? load_detail : '0;
      end else if (weight_align_error) begin
        error_code_o <= 8'(systole_pkg::ErrorAlign);
        error_unit_o <= 8'(Weight); error_index_o <= weight_index;
      end else if (matmul_ub_error || matmul_acc_error) begin
        error_code_o <= matmul_ub_error ? 8'(systole_pkg::ErrorUbRange) : 8'(systole_pkg::ErrorAccRange);
        error_unit_o <= 8'(Array); error_index_o <= work_index_q[Array]; error_detail_o <= matmul_detail;
      end else if (activate_ub_error || activate_acc_error) begin
        error_code_o <= activate_ub_error ? 8'(systole_pkg::ErrorUbRange) : 8'(systole_pkg::ErrorAccRange);
        error_unit_o <= 8'(Activate); error_index_o <= activate_error_index; error_detail_o <= activate_detail;
      end else if (store_range_error || store_align_error) begin
        error_code_o <= store_range_error ? 8'(systole_pkg::ErrorUbRange) : 8'(systole_pkg::ErrorAlign);
        error_unit_o <= 8'(Store); error_index_o <= store_index; error_detail_o <= store_range_error ? store_detail : '0;
      end else if (dispatch_error) begin
        error_code_o <= dispatch_code; error_unit_o <= 8'(systole_pkg::UnitDispatch);
        error_index_o <= dispatch_error_index; error_detail_o <= dispatch_detail;
      end else if (token_overflow) begin
        error_code_o <= 8'(systole_pkg::ErrorToken); error_unit_o <= 8'(overflow_from);
        error_index_o <= (overflow_from == 3'(Activate)) ? activate_done_index : work_index_q[overflow_from];
        error_detail_o <= 32'h8000_0000 | 32'd1 << overflow_to;
      end else if (timeout && memory_owes) begin
        error_code_o <= 8'(systole_pkg::ErrorMemory); error_unit_o <= 8'(waiting_unit); error_index_o <= waiting_index;
      end else begin
        error_code_o <= 8'(systole_pkg::ErrorToken); error_unit_o <= 8'(waiting_unit); error_index_o <= waiting_index;
        error_detail_o <= 32'(waiting_missing);
      end
    end else if (dispatch_done && !abort_q) begin
      done_o <= 1'b1;
    end
    if (abort_q) begin
      drained_q <= {drained_q[0], axi_idle};
      if (axi_idle && drained_q == 2'b11) begin
        abort_q <= 1'b0;
        done_o  <= 1'b1;
      end
    end
    if (!rst_ni) begin
      run_q        <= 1'b0;
      launch_q     <= 1'b0;
      abort_q      <= 1'b0;
      done_o       <= 1'b0;
      error_code_o <= 8'(systole_pkg::ErrorNone);
    end
  end
  assign busy_o = run_q;

  // ---- clocks ----------------------------------------------------------------------------------
  // Array, core and ledger always run. What stands at gmem1 and what stands at gmem0 run when one
  // of theirs has something to do, during reset, and while an error drains; what begins and ends
  // runs, when one does.
  logic awake;
  assign awake = !run_ni || launch_q;
  systole_clock_gate #(.Gate(ClockGates)) u_run_clk (
    .clk_i, .clk_o(run_clk),
    .enable_i(!rst_ni || start_i || launch_q || done_o || abort_q || dispatch_done || error), .pin_i(1'b0));
  systole_clock_gate #(.Gate(ClockGates)) u_gmem1_clk (
    .clk_i, .clk_o(gmem1_clk),
    .enable_i(awake || fetch_wake || weight_wake || fetch_axi_wake || weight_axi_wake || gmem1_ar_valid_o), .pin_i(gmem1_r_valid_i));
  systole_clock_gate #(.Gate(ClockGates)) u_gmem0_clk (
    .clk_i, .clk_o(gmem0_clk),
    .enable_i(awake || dispatch_wake || accept != '0 || done != '0 || token_overflow || load_wake || load_axi_wake ||
              activate_wake || store_wake || store_axi_wake || ub_wake), .pin_i(gmem0_r_valid_i || gmem0_b_valid_i));

  // ---- counters --------------------------------------------------------------------------------------
  systole_ledger #(.Dim(Dim), .AxiBytes(AxiBytes)) u_ledger (
    .clk_i, .start_i, .run_i(run_q), .active_i(active), .where_i(where),
    .zero_valid_i(zero_valid), .zero_macs_i(zero_macs),
    .ub_read_i(ub_enable && !ub_write), .ub_write_i(ub_enable && ub_write),
    .weight_i(weight_valid), .acc_read_i(acc_read),
    .gmem0_read_i(load_beat), .gmem0_write_i(store_beat), .gmem1_read_i(fetch_beat || weight_beat),
    .instruction_i(push), .counters_o, .instructions_o(dispatched_o));

  `SYSTOLE_ASSERT(StartOnlyWhenIdle, !start_i || !run_q)

  initial begin
    if (AxiBytes > 2 * Dim) $fatal(1, "systole_kernel: AxiBytes must be at most 2 Dim");
  end
endmodule

`default_nettype wire

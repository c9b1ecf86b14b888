// Systole: the accelerator as a Vitis RTL kernel. Pins and registers only.
//
// s_axi_control: AXI4-Lite, ap_ctrl_hs (registers in hw/README.md). m_axi_gmem0: activations and
// results. m_axi_gmem1: program, weights, column parameters (reads only).
`default_nettype none

module systole #(
  parameter int Dim         = 16,    // array is Dim x Dim, 2 ... 256, power of two
  // Defaults that suit the size: a buffer of at most 512 KiB up to Dim 64, ports of Dim bytes, and
  // a weight FIFO that covers the memory's latency (256 rows) and never less than 4 tiles.
  parameter int UbRows      = (Dim <= 16) ? 16384 : (Dim <= 64) ? 8192 : 4096,
  parameter int AccRows     = 2048,
  parameter int WeightTiles = (Dim >= 64) ? 4 : 256 / Dim,
  parameter int AxiBytes    = (Dim <= 4) ? 4 : (Dim >= 64) ? 64 : Dim,
  parameter int FlatArray   = 1,     // 1: written for fast simulation; 0: the readable one, for FPGAs
  parameter int PackedDsp   = 0,     // the readable one with two columns in a DSP: 8 for DSP48E2, 2 for DSP48E1
  parameter int Watchdog    = 65536, // cycles without progress that end a run
  parameter int ClockGates  = 1,     // 1: idle units get no clock (simulation); 0: one clock, for FPGAs
  parameter int Features    = 3      // residual and pools, see systole_pkg::Feature*; fewer are refused
) (
  input  logic                  ap_clk,
  input  logic                  ap_rst_n,
  output logic                  interrupt,

  input  logic                  s_axi_control_awvalid,
  output logic                  s_axi_control_awready,
  input  logic [11:0]           s_axi_control_awaddr,
  input  logic                  s_axi_control_wvalid,
  output logic                  s_axi_control_wready,
  input  logic [31:0]           s_axi_control_wdata,
  input  logic [3:0]            s_axi_control_wstrb,
  output logic                  s_axi_control_bvalid,
  input  logic                  s_axi_control_bready,
  output logic [1:0]            s_axi_control_bresp,
  input  logic                  s_axi_control_arvalid,
  output logic                  s_axi_control_arready,
  input  logic [11:0]           s_axi_control_araddr,
  output logic                  s_axi_control_rvalid,
  input  logic                  s_axi_control_rready,
  output logic [31:0]           s_axi_control_rdata,
  output logic [1:0]            s_axi_control_rresp,

  output logic                  m_axi_gmem0_awvalid,
  input  logic                  m_axi_gmem0_awready,
  output logic [63:0]           m_axi_gmem0_awaddr,
  output logic [7:0]            m_axi_gmem0_awlen,
  output logic [2:0]            m_axi_gmem0_awsize,
  output logic [1:0]            m_axi_gmem0_awburst,
  output logic                  m_axi_gmem0_wvalid,
  input  logic                  m_axi_gmem0_wready,
  output logic [8*AxiBytes-1:0] m_axi_gmem0_wdata,
  output logic [AxiBytes-1:0]   m_axi_gmem0_wstrb,
  output logic                  m_axi_gmem0_wlast,
  input  logic                  m_axi_gmem0_bvalid,
  output logic                  m_axi_gmem0_bready,
  input  logic [1:0]            m_axi_gmem0_bresp,
  output logic                  m_axi_gmem0_arvalid,
  input  logic                  m_axi_gmem0_arready,
  output logic [63:0]           m_axi_gmem0_araddr,
  output logic [7:0]            m_axi_gmem0_arlen,
  output logic [2:0]            m_axi_gmem0_arsize,
  output logic [1:0]            m_axi_gmem0_arburst,
  input  logic                  m_axi_gmem0_rvalid,
  output logic                  m_axi_gmem0_rready,
  input  logic [8*AxiBytes-1:0] m_axi_gmem0_rdata,
  input  logic                  m_axi_gmem0_rlast,
  input  logic [1:0]            m_axi_gmem0_rresp,

  output logic                  m_axi_gmem1_arvalid,
  input  logic                  m_axi_gmem1_arready,
  output logic [63:0]           m_axi_gmem1_araddr,
  output logic [7:0]            m_axi_gmem1_arlen,
  output logic [2:0]            m_axi_gmem1_arsize,
  output logic [1:0]            m_axi_gmem1_arburst,
  input  logic                  m_axi_gmem1_rvalid,
  output logic                  m_axi_gmem1_rready,
  input  logic [8*AxiBytes-1:0] m_axi_gmem1_rdata,
  input  logic                  m_axi_gmem1_rlast,
  input  logic [1:0]            m_axi_gmem1_rresp
);
  localparam logic [2:0] BeatSize = 3'($clog2(AxiBytes));
  localparam logic [1:0] Incr = 2'b01;

  assign m_axi_gmem0_awsize  = BeatSize;
  assign m_axi_gmem0_arsize  = BeatSize;
  assign m_axi_gmem1_arsize  = BeatSize;
  assign m_axi_gmem0_awburst = Incr;
  assign m_axi_gmem0_arburst = Incr;
  assign m_axi_gmem1_arburst = Incr;

  // The reset in a register, as every input is: it reaches thousands of registers, and what depends
  // on a pin without one is evaluated twice a cycle in simulation.
  logic rst_nq;
  always_ff @(posedge ap_clk) rst_nq <= ap_rst_n;

  logic        start, busy, done;
  logic [63:0] program_addr, weights_addr, activations_addr;
  logic [31:0] instructions;
  logic [7:0]  error_code, error_unit;
  logic [31:0] error_index, error_detail;
  logic [64*systole_pkg::CounterInstructions-1:0] counters;
  logic [63:0] dispatched;
  logic        control_wake, control_clk;

  systole_clock_gate #(.Gate(ClockGates)) u_control_clk (
    .clk_i(ap_clk), .clk_o(control_clk), .enable_i(control_wake),
    .pin_i(s_axi_control_awvalid || s_axi_control_wvalid || s_axi_control_arvalid));

  systole_control #(
    .Dim(Dim), .UbRows(UbRows), .AccRows(AccRows), .WeightTiles(WeightTiles), .AxiBytes(AxiBytes),
    .FlatArray(FlatArray), .Watchdog(Watchdog), .Features(Features)
  ) u_control (
    .clk_i(control_clk), .rst_ni(rst_nq),
    .aw_valid_i(s_axi_control_awvalid), .aw_ready_o(s_axi_control_awready), .aw_addr_i(s_axi_control_awaddr),
    .w_valid_i(s_axi_control_wvalid), .w_ready_o(s_axi_control_wready), .w_data_i(s_axi_control_wdata), .w_strb_i(s_axi_control_wstrb),
    .b_valid_o(s_axi_control_bvalid), .b_ready_i(s_axi_control_bready), .b_resp_o(s_axi_control_bresp),
    .ar_valid_i(s_axi_control_arvalid), .ar_ready_o(s_axi_control_arready), .ar_addr_i(s_axi_control_araddr),
    .r_valid_o(s_axi_control_rvalid), .r_ready_i(s_axi_control_rready), .r_data_o(s_axi_control_rdata), .r_resp_o(s_axi_control_rresp),
    .interrupt_o(interrupt),
    .start_o(start), .program_o(program_addr), .weights_o(weights_addr), .activations_o(activations_addr), .instructions_o(instructions),
    .busy_i(busy), .done_i(done),
    .error_code_i(error_code), .error_unit_i(error_unit), .error_index_i(error_index), .error_detail_i(error_detail),
    .counters_i(counters), .dispatched_i(dispatched), .wake_o(control_wake));

  systole_kernel #(
    .Dim(Dim), .UbRows(UbRows), .AccRows(AccRows), .WeightTiles(WeightTiles), .AxiBytes(AxiBytes),
    .FlatArray(FlatArray), .PackedDsp(PackedDsp), .Watchdog(Watchdog), .ClockGates(ClockGates), .Features(Features)
  ) u_kernel (
    .clk_i(ap_clk), .rst_ni(rst_nq),
    .start_i(start), .program_i(program_addr), .weights_i(weights_addr), .activations_i(activations_addr), .instructions_i(instructions),
    .busy_o(busy), .done_o(done),
    .error_code_o(error_code), .error_unit_o(error_unit), .error_index_o(error_index), .error_detail_o(error_detail),
    .counters_o(counters), .dispatched_o(dispatched),
    .gmem0_ar_valid_o(m_axi_gmem0_arvalid), .gmem0_ar_ready_i(m_axi_gmem0_arready), .gmem0_ar_addr_o(m_axi_gmem0_araddr), .gmem0_ar_len_o(m_axi_gmem0_arlen),
    .gmem0_r_valid_i(m_axi_gmem0_rvalid), .gmem0_r_ready_o(m_axi_gmem0_rready), .gmem0_r_data_i(m_axi_gmem0_rdata), .gmem0_r_resp_i(m_axi_gmem0_rresp), .gmem0_r_last_i(m_axi_gmem0_rlast),
    .gmem0_aw_valid_o(m_axi_gmem0_awvalid), .gmem0_aw_ready_i(m_axi_gmem0_awready), .gmem0_aw_addr_o(m_axi_gmem0_awaddr), .gmem0_aw_len_o(m_axi_gmem0_awlen),
    .gmem0_w_valid_o(m_axi_gmem0_wvalid), .gmem0_w_ready_i(m_axi_gmem0_wready), .gmem0_w_data_o(m_axi_gmem0_wdata), .gmem0_w_strb_o(m_axi_gmem0_wstrb), .gmem0_w_last_o(m_axi_gmem0_wlast),
    .gmem0_b_valid_i(m_axi_gmem0_bvalid), .gmem0_b_ready_o(m_axi_gmem0_bready), .gmem0_b_resp_i(m_axi_gmem0_bresp),
    .gmem1_ar_valid_o(m_axi_gmem1_arvalid), .gmem1_ar_ready_i(m_axi_gmem1_arready), .gmem1_ar_addr_o(m_axi_gmem1_araddr), .gmem1_ar_len_o(m_axi_gmem1_arlen),
    .gmem1_r_valid_i(m_axi_gmem1_rvalid), .gmem1_r_ready_o(m_axi_gmem1_rready), .gmem1_r_data_i(m_axi_gmem1_rdata), .gmem1_r_resp_i(m_axi_gmem1_rresp), .gmem1_r_last_i(m_axi_gmem1_rlast));
endmodule

`default_nettype wire

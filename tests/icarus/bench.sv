// The whole kernel in Icarus Verilog: replays what a host did with a Verilated card (events.py tells
// the form), compares what it reads from memory and every counter, cycle counts included, and ends in
// $fatal when something differs.
`timescale 1ns / 1ps
`default_nettype none

module bench #(
  parameter int Dim       = 4,
  parameter int FlatArray = 1,
  parameter int PackedDsp = 0,
  parameter int Words     = 1024, // of the events
  parameter int Beats0    = 1024, // memory of gmem0
  parameter int Beats1    = 1024  // memory of gmem1
);
  // The default of the top module for this size.
  localparam int AxiBytes = (Dim <= 4) ? 4 : (Dim >= 64) ? 64 : Dim;
  localparam int Wide     = 8 * AxiBytes;
  localparam int Patience = 2000000; // cycles of a run

  logic clk, rst_n;
  initial clk = 1'b0;
  always #5 clk = !clk;

  logic        interrupt;
  logic        awvalid, awready, wvalid, wready, bvalid, arvalid, arready, rvalid;
  logic [11:0] awaddr, araddr;
  logic [31:0] wdata, rdata;
  logic [1:0]  bresp, rresp;

  logic            m0_awvalid, m0_awready, m0_wvalid, m0_wready, m0_wlast, m0_bvalid, m0_bready;
  logic            m0_arvalid, m0_arready, m0_rvalid, m0_rready, m0_rlast;
  logic [63:0]     m0_awaddr, m0_araddr;
  logic [7:0]      m0_awlen, m0_arlen;
  logic [Wide-1:0] m0_wdata, m0_rdata;
  logic [AxiBytes-1:0] m0_wstrb;
  logic            m1_arvalid, m1_arready, m1_rvalid, m1_rready, m1_rlast;
  logic [63:0]     m1_araddr;
  logic [7:0]      m1_arlen;
  logic [Wide-1:0] m1_rdata;

  systole #(.Dim(Dim), .FlatArray(FlatArray), .PackedDsp(PackedDsp)) u_systole (
    .ap_clk(clk), .ap_rst_n(rst_n), .interrupt(interrupt),
    .s_axi_control_awvalid(awvalid), .s_axi_control_awready(awready), .s_axi_control_awaddr(awaddr),
    .s_axi_control_wvalid(wvalid), .s_axi_control_wready(wready), .s_axi_control_wdata(wdata), .s_axi_control_wstrb(4'hF),
    .s_axi_control_bvalid(bvalid), .s_axi_control_bready(1'b1), .s_axi_control_bresp(bresp),
    .s_axi_control_arvalid(arvalid), .s_axi_control_arready(arready), .s_axi_control_araddr(araddr),
    .s_axi_control_rvalid(rvalid), .s_axi_control_rready(1'b1), .s_axi_control_rdata(rdata), .s_axi_control_rresp(rresp),
    .m_axi_gmem0_awvalid(m0_awvalid), .m_axi_gmem0_awready(m0_awready), .m_axi_gmem0_awaddr(m0_awaddr), .m_axi_gmem0_awlen(m0_awlen),
    .m_axi_gmem0_awsize(), .m_axi_gmem0_awburst(),
    .m_axi_gmem0_wvalid(m0_wvalid), .m_axi_gmem0_wready(m0_wready), .m_axi_gmem0_wdata(m0_wdata), .m_axi_gmem0_wstrb(m0_wstrb), .m_axi_gmem0_wlast(m0_wlast),
    .m_axi_gmem0_bvalid(m0_bvalid), .m_axi_gmem0_bready(m0_bready), .m_axi_gmem0_bresp(2'b00),
    .m_axi_gmem0_arvalid(m0_arvalid), .m_axi_gmem0_arready(m0_arready), .m_axi_gmem0_araddr(m0_araddr), .m_axi_gmem0_arlen(m0_arlen),
    .m_axi_gmem0_arsize(), .m_axi_gmem0_arburst(),
    .m_axi_gmem0_rvalid(m0_rvalid), .m_axi_gmem0_rready(m0_rready), .m_axi_gmem0_rdata(m0_rdata), .m_axi_gmem0_rlast(m0_rlast), .m_axi_gmem0_rresp(2'b00),
    .m_axi_gmem1_arvalid(m1_arvalid), .m_axi_gmem1_arready(m1_arready), .m_axi_gmem1_araddr(m1_araddr), .m_axi_gmem1_arlen(m1_arlen),
    .m_axi_gmem1_arsize(), .m_axi_gmem1_arburst(),
    .m_axi_gmem1_rvalid(m1_rvalid), .m_axi_gmem1_rready(m1_rready), .m_axi_gmem1_rdata(m1_rdata), .m_axi_gmem1_rlast(m1_rlast), .m_axi_gmem1_rresp(2'b00));

  memory_port #(.AxiBytes(AxiBytes), .Beats(Beats0)) u_gmem0 (
    .clk(clk), .rst_n(rst_n),
    .araddr(m0_araddr), .arlen(m0_arlen), .arvalid(m0_arvalid), .arready(m0_arready),
    .rvalid(m0_rvalid), .rready(m0_rready), .rdata(m0_rdata), .rlast(m0_rlast),
    .awaddr(m0_awaddr), .awlen(m0_awlen), .awvalid(m0_awvalid), .awready(m0_awready),
    .wvalid(m0_wvalid), .wready(m0_wready), .wdata(m0_wdata), .wstrb(m0_wstrb), .wlast(m0_wlast),
    .bvalid(m0_bvalid), .bready(m0_bready));
  memory_port #(.AxiBytes(AxiBytes), .Beats(Beats1)) u_gmem1 (
    .clk(clk), .rst_n(rst_n),
    .araddr(m1_araddr), .arlen(m1_arlen), .arvalid(m1_arvalid), .arready(m1_arready),
    .rvalid(m1_rvalid), .rready(m1_rready), .rdata(m1_rdata), .rlast(m1_rlast),
    .awaddr(64'd0), .awlen(8'd0), .awvalid(1'b0), .awready(), .wvalid(1'b0), .wready(),
    .wdata(Wide'(0)), .wstrb(AxiBytes'(0)), .wlast(1'b0), .bvalid(), .bready(1'b1));

  // ---- AXI4-Lite -------------------------------------------------------------------------------
  task automatic write_register(input logic [11:0] offset, input logic [31:0] value);
    awaddr <= offset; wdata <= value; awvalid <= 1'b1; wvalid <= 1'b1;
    @(posedge clk);
    while (awvalid || wvalid || !bvalid) begin
      if (awvalid && awready) awvalid <= 1'b0;
      if (wvalid && wready) wvalid <= 1'b0;
      @(posedge clk);
    end
    if (bresp !== 2'b00) $fatal(1, "bench: a register refused to be written");
  endtask
  task automatic read_register(input logic [11:0] offset, output logic [31:0] value);
    araddr <= offset; arvalid <= 1'b1;
    @(posedge clk);
    while (!rvalid) begin
      if (arvalid && arready) arvalid <= 1'b0;
      @(posedge clk);
    end
    arvalid <= 1'b0;
    value = rdata;
    @(posedge clk);
  endtask

  // ---- the events --------------------------------------------------------------------------------
  reg [31:0] words [0:Words-1];
  reg [8*256-1:0] file;
  integer at, i, run, compared, waited, beat, lane;
  logic [31:0] got, mask, want, start_cycle;

  function automatic logic [31:0] memory_word(input logic port, input logic [31:0] address);
    if (port) memory_word = u_gmem1.beats[address / AxiBytes][8 * (address % AxiBytes) +: 32];
    else memory_word = u_gmem0.beats[address / AxiBytes][8 * (address % AxiBytes) +: 32];
  endfunction

  initial begin
    if (!$value$plusargs("events=%s", file)) $fatal(1, "bench: +events=FILE is missing");
    $readmemh(file, words);
    awvalid = 1'b0; wvalid = 1'b0; arvalid = 1'b0; awaddr = '0; araddr = '0; wdata = '0;
    rst_n = 1'b0;
    repeat (4) @(posedge clk);
    rst_n <= 1'b1;
    repeat (4) @(posedge clk);
    at = 0; run = 0; compared = 0;
    while (words[at] != 0) begin
      case (words[at])
        1: begin
          for (i = 0; i < words[at+3]; i = i + 1) begin
            beat = (words[at+2] + 4 * i) / AxiBytes;
            lane = (words[at+2] + 4 * i) % AxiBytes;
            if (words[at+1] != 0) u_gmem1.beats[beat][8*lane +: 32] = words[at+4+i];
            else u_gmem0.beats[beat][8*lane +: 32] = words[at+4+i];
          end
          at = at + 4 + words[at+3];
        end
        2: begin
          for (i = 0; i < words[at+3]; i = i + 1) begin
            mask = words[at+4+2*i];
            want = words[at+5+2*i];
            got  = memory_word(words[at+1] != 0, words[at+2] + 4 * i);
            if ((got & mask) !== (want & mask)) begin
              $display("gmem%0d, address %h after run %0d: Verilator has %h, Icarus %h (mask %h)", words[at+1], words[at+2] + 4 * i, run, want, got, mask);
              $fatal(1, "results differ");
            end
            compared = compared + 1;
          end
          at = at + 4 + 2 * words[at+3];
        end
        3: begin
          run = run + 1;
          write_register(12'h010, words[at+2]);
          write_register(12'h014, words[at+3]);
          write_register(12'h018, words[at+4]);
          write_register(12'h01C, words[at+5]);
          write_register(12'h020, words[at+6]);
          write_register(12'h024, words[at+7]);
          write_register(12'h028, words[at+1]);
          write_register(12'h000, 32'd1);
          waited = 0;
          got = 32'd0;
          while (!got[1]) begin // ap_done
            repeat (20) @(posedge clk);
            waited = waited + 20;
            if (waited > Patience) $fatal(1, "bench: run %0d does not end", run);
            read_register(12'h000, got);
            if ((^got) === 1'bx) $fatal(1, "bench: the control register is unknown");
          end
          at = at + 8;
        end
        4: begin
          read_register(words[at+1][11:0], got);
          mask = words[at+2];
          want = words[at+3];
          if ((got & mask) !== (want & mask)) begin
            $display("register %h after run %0d: Verilator has %0d, Icarus %0d", words[at+1], run, want, got);
            $fatal(1, "registers differ");
          end
          compared = compared + 1;
          at = at + 4;
        end
        default: $fatal(1, "bench: the events are spoiled");
      endcase
    end
    if (run == 0 || compared == 0) $fatal(1, "bench: nothing was run");
    $display("icarus: Dim %0d, %0s array: %0d runs, %0d words and registers equal", Dim, (FlatArray != 0) ? "flat" : (PackedDsp != 0) ? "packed" : "readable", run, compared);
    $finish(0);
  end
endmodule

`default_nettype wire

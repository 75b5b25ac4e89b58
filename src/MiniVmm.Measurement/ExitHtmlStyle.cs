namespace MiniVmm.Measurement;

/// <summary>How a page about exits looks: on light and dark screens, and on paper.</summary>
internal static class ExitHtmlStyle
{
    // Colours that people with any kind of colour vision can tell apart, and of like weight on either ground.
    public const string Sheet = """
        :root {
          color-scheme: light dark;
          --ground: #ffffff; --raised: #f6f7f8; --ink: #1d2126; --faint: #5c656f; --rule: #d9dde1; --warn: #8a4b00;
          --host: #1f66ad; --guest: #1b7f5c; --partner: #b4541a; --call: #68727d;
          --kernel: #b9c1c9; --decode: #1f66ad; --serve: #b4541a; --loop: #1b7f5c;
        }
        @media (prefers-color-scheme: dark) {
          :root {
            --ground: #15181c; --raised: #1d2126; --ink: #e3e6e9; --faint: #9aa4ae; --rule: #333a42; --warn: #e7a355;
            --host: #6aaef0; --guest: #4fc79a; --partner: #ee9560; --call: #9aa4ae;
            --kernel: #4d5762; --decode: #6aaef0; --serve: #ee9560; --loop: #4fc79a;
          }
        }
        body {
          margin: 0 auto; padding: 1.5rem; max-width: 72rem; background: var(--ground); color: var(--ink);
          font: 15px/1.5 system-ui, sans-serif;
        }
        h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .3rem; }
        h2 { font-size: 1.2rem; margin: 2.4rem 0 .6rem; padding-top: .6rem; border-top: 1px solid var(--rule); }
        h3 { font-size: 1rem; margin: 2rem 0 .1rem; }
        p { margin: .3rem 0 .7rem; max-width: 50rem; }
        a { color: inherit; }
        .faint, figcaption { color: var(--faint); font-size: .87rem; }
        .remarks { border-left: 3px solid var(--warn); margin: 1rem 0; padding: .1rem 0 .1rem 1rem; }
        .remarks ul { margin: .2rem 0; padding-left: 1.1rem; }
        .disagrees { color: var(--warn); font-weight: 600; }
        .scroll { overflow-x: auto; }
        table { border-collapse: collapse; font-size: .87rem; font-variant-numeric: tabular-nums; }
        th { text-align: left; font-weight: 600; vertical-align: bottom; border-bottom: 1px solid var(--faint); }
        th, td { padding: .16rem 1.1rem .16rem 0; }
        td { vertical-align: top; border-bottom: 1px solid var(--rule); }
        .number { text-align: right; white-space: nowrap; }
        .facts td:first-child, td:first-child { white-space: nowrap; }
        .facts td:first-child { color: var(--faint); }
        dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; font-size: .87rem; }
        dt { font-weight: 600; }
        dd { margin: 0; color: var(--faint); }
        figure { margin: .4rem 0; }
        .pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(22rem, 1fr)); gap: .2rem 1.5rem; }
        svg { display: block; width: 100%; height: auto; font-family: inherit; }
        svg a { text-decoration: none; }
        svg.overview { min-width: 44rem; }
        svg.stack { width: 12.5rem; height: .75rem; margin: .3rem 0; }
        svg text { fill: var(--ink); font-size: 12px; }
        svg .tick, svg .label { fill: var(--faint); font-size: 11px; }
        svg .missing { fill: var(--faint); }
        svg .middle { text-anchor: middle; }
        svg .end { text-anchor: end; }
        .grid { stroke: var(--rule); stroke-width: 1; }
        .axis { stroke: var(--faint); stroke-width: 1; }
        .mark { stroke: var(--ink); stroke-width: 1; stroke-dasharray: 3 3; opacity: .65; }
        .host { color: var(--host); } .guest { color: var(--guest); }
        .partner { color: var(--partner); } .call { color: var(--call); }
        .kernel { color: var(--kernel); } .decode { color: var(--decode); }
        .serve { color: var(--serve); } .loop { color: var(--loop); }
        .bar { fill: currentColor; }
        .whisker { stroke: currentColor; stroke-width: 1.4; }
        .curve { fill: none; stroke: currentColor; stroke-width: 2; stroke-linejoin: round; }
        .dot { fill: currentColor; stroke: var(--ground); stroke-width: 1.5; }
        .key { display: inline-block; width: .75em; height: .75em; margin: 0 .3em 0 .9em; background: currentColor; }
        @media print {
          :root {
            color-scheme: light;
            --ground: #ffffff; --raised: #ffffff; --ink: #000000; --faint: #444444; --rule: #cccccc; --warn: #000000;
            --host: #1f66ad; --guest: #1b7f5c; --partner: #b4541a; --call: #68727d;
            --kernel: #b9c1c9; --decode: #1f66ad; --serve: #b4541a; --loop: #1b7f5c;
          }
          body { max-width: none; padding: 0; font-size: 10px; }
          body, svg { -webkit-print-color-adjust: exact; print-color-adjust: exact; }
          section.kind, figure, tr { break-inside: avoid; }
          h2, h3 { break-after: avoid; }
          .pair { grid-template-columns: 1fr 1fr; }
          .scroll { overflow: visible; }
          svg.overview { min-width: 0; }
        }
        """;
}

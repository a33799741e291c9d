"""How a report looks, and the few lines of script that read a chart below the pointer. Nothing is fetched."""

from __future__ import annotations

from typing import Final

from research.reports.drawing import DOT_RADIUS, STYLES, Style

_LAYOUT: Final = """
:root{color-scheme:light dark;--paper:#fff;--ink:#1b1f24;--soft:#5d6874;--line:#e4e7eb;--warn:#fdf3dc;--edge:#d9a441}
@media(prefers-color-scheme:dark){
:root{--paper:#14181d;--ink:#e6e9ed;--soft:#9aa5b1;--line:#2b323b;--warn:#33290f}}
*{box-sizing:border-box}
body{margin:0 auto;padding:24px 20px 48px;max-width:1000px;background:var(--paper);color:var(--ink);
font:14px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
h1{font-size:22px;margin:0 0 2px}h2{font-size:15px;margin:26px 0 2px}
p{margin:0 0 6px}.soft,h2+p{color:var(--soft);font-size:12.5px}
.tiles{display:flex;flex-wrap:wrap;gap:8px;margin:16px 0}
.tiles div{flex:1 1 118px;padding:8px 12px;border:1px solid var(--line);border-radius:6px}
.tiles b{display:block;font-size:18px;font-variant-numeric:tabular-nums}.tiles span{color:var(--soft);font-size:12px}
.warn{background:var(--warn);border-left:3px solid var(--edge);padding:8px 14px;border-radius:4px;margin:14px 0}
.warn ul{margin:2px 0;padding-left:18px}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(380px,100%),1fr));gap:0 20px}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;font-size:12.5px}
th{text-align:left;font-weight:600;color:var(--soft)}
td,th{padding:3px 10px 3px 0;border-bottom:1px solid var(--line);vertical-align:top}td{overflow-wrap:anywhere}
.n{text-align:right}table.facts th{width:150px;font-weight:400}
.scroll{overflow-x:auto}.scroll td{white-space:nowrap}
svg{width:100%;height:auto;display:block}.wide{overflow-x:auto}.wide svg{min-width:660px}
svg path,svg rect{vector-effect:non-scaling-stroke;stroke-linejoin:round;stroke-linecap:round}
svg text{font-size:11px;font-variant-numeric:tabular-nums}
svg path.tip{stroke-width:1.6px}svg path.tip:hover{stroke-width:4px}
#at{position:fixed;pointer-events:none;display:none;background:var(--ink);color:var(--paper);padding:3px 8px;
border-radius:4px;font-size:12px;white-space:pre;font-variant-numeric:tabular-nums}
@media print{body{max-width:none;padding:0}h2,h2+p{break-after:avoid}svg,tr,.warn,.tiles,.pair>div{break-inside:avoid}
.pair{grid-template-columns:1fr 1fr}.wide,.scroll{overflow:visible}.wide svg{min-width:0}
.scroll table{font-size:9px}.scroll td{white-space:normal}.scroll td,.scroll th{padding-right:6px}}
"""

SCRIPT: Final = """
(()=>{const box=document.getElementById('at');
const read=p=>{let n=p.getAttribute('d').match(/-?\\d+/g).map(Number),x=0,y=0,o=[];
for(let i=0;i<n.length;i+=2){x+=n[i];y+=n[i+1];o.push([x/10,y/10])}return o};
for(const s of document.querySelectorAll('svg.live')){
const [l,r,t,b,t0,t1,lo,hi]=s.dataset.at.split(',').map(Number),unit=s.dataset.unit;let lines;
s.addEventListener('pointermove',e=>{
lines??=[...s.querySelectorAll('path[data-key]')].map(p=>[p.dataset.key,read(p)]);
const k=s.getBoundingClientRect(),x=(e.clientX-k.left)*s.viewBox.baseVal.width/k.width;
if(x<l||x>r){box.style.display='none';return}
const when=new Date((t0+(x-l)/(r-l)*(t1-t0))*1000).toISOString().slice(0,16).replace('T',' ');
box.textContent=when+lines.map(([key,o])=>{let i=0,j=o.length-1;
while(i<j){const m=i+j+1>>1;o[m][0]<=x?i=m:j=m-1}
let v=lo+(b-o[i][1])/(b-t)*(hi-lo);
return '\\n'+key+' '+(unit=='%'?(v*100).toFixed(2)+'%':v.toLocaleString('en',{maximumSignificantDigits:6}))}).join('');
box.style.display='block';
box.style.left=Math.min(e.clientX+14,innerWidth-box.offsetWidth-8)+'px';box.style.top=e.clientY+14+'px'});
s.addEventListener('pointerleave',()=>box.style.display='none')}})();
"""


def style_sheet() -> str:
    """Return the whole style sheet: the layout, and a class for each style of a drawing, light and dark."""
    light = "".join(_rule(name, style, style.light) for name, style in STYLES.items())
    dark = "".join(_rule(name, style, style.dark) for name, style in STYLES.items())
    dots = f"svg path.dots{{fill:none;stroke-width:{2 * DOT_RADIUS:g}px}}"
    colours = "".join(
        f"svg .{name}.dots{{stroke:{STYLES[name].light}}}@media(prefers-color-scheme:dark)"
        f"{{svg .{name}.dots{{stroke:{STYLES[name].dark}}}}}"
        for name in ("win", "loss")
    )
    return f"{_LAYOUT}{light}{dots}@media(prefers-color-scheme:dark){{{dark}}}{colours}".replace("\n", "")


def _rule(name: str, style: Style, colour: str) -> str:
    if style.width:
        return f"svg .{name}{{fill:none;stroke:{colour};stroke-width:{style.width:g}px}}"
    opacity = "" if style.opacity == 1 else f";fill-opacity:{style.opacity:g}"
    return f"svg .{name}{{fill:{colour}{opacity}}}"

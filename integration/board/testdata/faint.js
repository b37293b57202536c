(() => {
  const paper = Object.assign(document.createElement("canvas"), { width: 1, height: 1 });
  const brush = paper.getContext("2d", { willReadFrequently: true });
  // over paints colours one over the other, and returns what is seen.
  const over = (colors) => {
    for (const color of colors) {
      brush.fillStyle = color;
      brush.fillRect(0, 0, 1, 1);
    }
    return [...brush.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((c) => ((c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const found = new Map();
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const of = texts.currentNode.parentElement;
    if (!texts.currentNode.nodeValue.trim() || !of.checkVisibility() || of.closest(".unseen, .skip")) continue;
    const grounds = [];
    for (let e = of; e; e = e.parentElement) grounds.unshift(getComputedStyle(e).backgroundColor);
    const style = getComputedStyle(of);
    const a = luminance(over(["white", ...grounds]));
    const b = luminance(over(["white", ...grounds, style.color]));
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
    if (contrast < (large ? 3 : 4.5)) {
      found.set(of.className + of.nodeName, `contrast of ${contrast.toFixed(2)}: ${of.nodeName}.${of.className} ${texts.currentNode.nodeValue.trim().slice(0, 40)}`);
    }
  }
  return [...found.values()];
})()

/**
 * What a decoder reads while its keys and values are measured: reports, a conversation about them, numbers and lists,
 * as answers of the app have them. Written for this purpose.
 */
export const cacheText = `Modality: CR. Body part: HAND.
Is there a fracture? Yes. There is an oblique fracture of the shaft of the fifth metacarpal with palmar angulation of 28 degrees. No other fracture is seen. The joint spaces are preserved.

Clinical history: 67-year-old with cough and fever for five days. Comparison: none. Technique: frontal and lateral chest radiographs. Findings: The lungs are hyperinflated. There is a patchy opacity in the right lower lobe with air bronchograms. A small right pleural effusion blunts the costophrenic angle. The heart is not enlarged; the mediastinal contours are normal. No pneumothorax. Degenerative changes of the thoracic spine. Impression: 1. Right lower lobe pneumonia. 2. Small right pleural effusion. Follow-up in 6 weeks is advised to see whether it has cleared.

Ultrasound of the left breast, 10 o'clock, 4 cm from the nipple: an irregular, hypoechoic mass of 14 x 11 x 9 mm, wider than tall, with angular margins and posterior shadowing (BI-RADS 4C). Two axillary lymph nodes with a cortex of 2 mm. A biopsy is recommended.

{"finding": "nodule", "side": "left", "size_mm": 7.5, "certain": false, "levels": [1, 2, 3]}

Question: What do you see in this image, and where? Answer: This is a radiograph of the wrist. I cannot tell whether the scaphoid is fractured; the projection does not show its waist. Why not? Because it is covered by the trapezium. A further view with the hand turned towards the ulna, or a CT, would help.

On Monday the department was closed. She wrote: "Please send the images of 12/03/2019 again, the ones from the other hospital were damaged," and added the number (+41 21 555 01 99). Measurements in Hounsfield units: liver 58, spleen 47, aorta 142. Dose-length product: 412 mGy cm.
`;
